// The guest is the first and only program of the virtual machine: it loads
// gpio-sim, pulls its contacts as vehicles would, and counts them through
// kerb's driver and the real kernel. It prints one line of JSON per scenario.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Getpid() == 1 {
		defer unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	if err := run(); err != nil {
		fmt.Println("GUEST ERROR", err)
	}
}

func run() error {
	sim, err := boot()
	if err != nil {
		return err
	}
	passages, err := argument("kerb.passages")
	if err != nil {
		return err
	}
	for _, s := range []struct {
		name string
		run  func(*chip) (any, error)
	}{
		{"passages", func(s *chip) (any, error) { return drive(s, passages, open, 0) }},
		{"debounced", func(s *chip) (any, error) { return drive(s, 200, debounced, 0) }},
		{"coarse", func(s *chip) (any, error) { return drive(s, 200, coarse, 0) }},
		{"stalled", func(s *chip) (any, error) { return drive(s, 400, open, 2*time.Second) }},
		{"overrun", overrun},
		{"unplugged", unplugged},
		{"caged", caged},
		{"gone", gone}, // last: it takes the chip away
	} {
		start := time.Now()
		result, err := s.run(sim)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		line, err := json.Marshal(map[string]any{"scenario": s.name, "seconds": time.Since(start).Seconds(), "result": result})
		if err != nil {
			return err
		}
		fmt.Printf("RESULT %s\n", line)
	}
	return nil
}

// argument is a number from the kernel's command line.
func argument(key string) (int, error) {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return 0, err
	}
	for _, word := range strings.Fields(string(line)) {
		if v, ok := strings.CutPrefix(word, key+"="); ok {
			return strconv.Atoi(v)
		}
	}
	return 0, fmt.Errorf("no %s on the kernel's command line", key)
}
