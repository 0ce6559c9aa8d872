// Guest is the init process of the virtual machine for loops. It loads
// gpio-sim, pulls its contacts as vehicles would, and counts them through
// kerb's driver and the real kernel. It prints one line of JSON per scenario
// and stops at the first that fails. It judges no result: the test outside the
// machine does. As init it powers the machine off at the end.
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
	sim, err := bootMachine()
	if err != nil {
		return err
	}
	passages, err := kernelArgument("kerb.passages")
	if err != nil {
		return err
	}
	for _, s := range []struct {
		name string
		run  func(*simChip) (any, error)
	}{
		{"passages", func(s *simChip) (any, error) { return runTraffic(s, passages, openTimed, 0) }},
		{"debounced", func(s *simChip) (any, error) { return runTraffic(s, 200, openDebounced, 0) }},
		{"coarse", func(s *simChip) (any, error) { return runTraffic(s, 200, openCoarse, 0) }},
		{"stalled", func(s *simChip) (any, error) { return runTraffic(s, 400, openTimed, 2*time.Second) }},
		{"overrun", runOverrun},
		{"unplugged", runUnplugged},
		{"caged", runCaged},
		{"button", runButton},
		{"gone", runGone}, // last: it removes the chip
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

// kernelArgument returns a number from the kernel's command line.
func kernelArgument(key string) (int, error) {
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
