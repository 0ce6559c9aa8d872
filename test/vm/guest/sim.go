package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// chipLabel is the label of the simulated chip: that of a Raspberry Pi 5.
const chipLabel = "pinctrl-rp1"

var lineNames = [...]string{"GPIO17", "GPIO27", "GPIO22", "GPIO23"}

// simChip is a gpio-sim chip whose contacts can be pulled.
type simChip struct {
	live  *os.File
	pulls [len(lineNames)]*os.File
	clock time.Time
	base  time.Duration
}

// bootMachine mounts the kernel's file systems, loads the modules and creates a
// simulated chip.
func bootMachine() (*simChip, error) {
	for _, m := range []struct{ fs, at string }{
		{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return nil, err
		}
		if err := unix.Mount(m.fs, m.at, m.fs, 0, ""); err != nil && err != unix.EBUSY {
			return nil, fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	for _, m := range []string{"configfs.ko", "irq_sim.ko", "gpio-sim.ko"} {
		f, err := os.Open("/" + m)
		if err != nil {
			return nil, err
		}
		if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
			return nil, fmt.Errorf("load %s: %w", m, err)
		}
		f.Close()
	}
	const config = "/sys/kernel/config"
	if err := unix.Mount("configfs", config, "configfs", 0, ""); err != nil {
		return nil, fmt.Errorf("mount configfs: %w", err)
	}
	return newSim(config + "/gpio-sim/kerb")
}

// newSim configures gpio-sim in configfs, opens its pulls, and sets the clock.
func newSim(dir string) (*simChip, error) {
	write := func(path, text string) error { return os.WriteFile(filepath.Join(dir, path), []byte(text), 0) }
	if err := os.MkdirAll(filepath.Join(dir, "bank0"), 0o755); err != nil {
		return nil, err
	}
	err := write("bank0/num_lines", fmt.Sprint(len(lineNames)))
	for i, n := range lineNames {
		if err == nil {
			err = os.Mkdir(filepath.Join(dir, fmt.Sprintf("bank0/line%d", i)), 0o755)
		}
		if err == nil {
			err = write(fmt.Sprintf("bank0/line%d/name", i), n)
		}
	}
	if err == nil {
		err = write("bank0/label", chipLabel)
	}
	if err == nil {
		err = write("live", "1")
	}
	if err != nil {
		return nil, err
	}
	s := &simChip{}
	if s.live, err = os.OpenFile(filepath.Join(dir, "live"), os.O_WRONLY, 0); err != nil {
		return nil, err
	}
	chips, err := filepath.Glob("/sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio0/pull")
	if err != nil || len(chips) != 1 {
		return nil, fmt.Errorf("simulated chips: %v, %w", chips, err)
	}
	for i := range s.pulls {
		path := filepath.Join(filepath.Dir(filepath.Dir(chips[0])), fmt.Sprintf("sim_gpio%d/pull", i))
		if s.pulls[i], err = os.OpenFile(path, os.O_WRONLY, 0); err != nil {
			return nil, err
		}
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return nil, err
	}
	s.clock, s.base = time.Now(), time.Duration(ts.Nano())
	return s, nil
}

// now returns the guest's CLOCK_MONOTONIC.
func (s *simChip) now() time.Duration { return s.base + time.Since(s.clock) }

var pulls = [2][]byte{[]byte("pull-up"), []byte("pull-down")}

// setContact closes or opens a contact: closed pulls the line down.
func (s *simChip) setContact(line int, closed bool) error {
	word := pulls[0]
	if closed {
		word = pulls[1]
	}
	_, err := s.pulls[line].WriteAt(word, 0)
	return err
}
