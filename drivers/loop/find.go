package loop

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/host/v3/gpioioctl"
)

// Line names one line of one chip, with its electrical settings.
type Line struct {
	// Chip is the chip's label, such as pinctrl-bcm2711 (Raspberry Pi 4) or
	// pinctrl-rp1 (Raspberry Pi 5); never its number, which has changed
	// between kernels. Empty: the board's own chip if it has the line, else
	// the only chip that has it.
	Chip string
	Name string // the line's name, such as GPIO17
	// ActiveHigh: active is high. A detector's contact pulls low while the
	// loop is covered. A fault relay that is held while its card works lets the
	// line go high when it falls.
	ActiveHigh bool
	Bias       Bias
}

// Bias is the pull resistor of the line.
type Bias uint8

// The biases; a contact to ground needs PullUp.
const (
	PullUp Bias = iota
	PullDown
	NoBias // unchanged: there is a resistor on the board
)

// FoundLine is a line that exists, with its chip.
type FoundLine struct {
	Chip   string // its chip's label
	Path   string // its chip's device; it may change at the next start
	Offset uint32 // its number on the chip
	Name   string
	User   string // name of the holder, "" if the line is free
	pin    gpio.PinIO
}

// PeriphPin is the line as a periph pin, for lamps and for OpenPins.
func (f FoundLine) PeriphPin() gpio.PinIO { return f.pin }

// ListLines lists the named lines of all GPIO chips. periph looks for the chips once,
// at the first call.
func ListLines() ([]FoundLine, error) {
	if err := initDrivers(); err != nil {
		return nil, fmt.Errorf("find gpio chips: %w", err)
	}
	if len(gpioioctl.Chips) == 0 {
		if err := explainNoChip("/dev/gpiochip*"); err != nil {
			return nil, err
		}
	}
	var all []FoundLine
	for _, c := range gpioioctl.Chips {
		for i, l := range c.Lines() {
			// periph puts the chip's name before a name that two chips have.
			name := strings.TrimPrefix(l.Name(), c.Name()+"-")
			if name != "" && name != "-" && name != "_" {
				all = append(all, FoundLine{Chip: c.Label(), Path: c.Path(), Offset: uint32(i), Name: name, User: l.Consumer(), pin: l})
			}
		}
	}
	return all, nil
}

// initDrivers looks for the chips. periph logs what it cannot open in a format of its
// own; the caller tells it, once.
func initDrivers() error {
	before := log.Writer()
	log.SetOutput(io.Discard)
	defer log.SetOutput(before)
	_, err := driverreg.Init()
	return err
}

// explainNoChip returns why no chip was found although the kernel shows some, by their
// device files; nil where it shows none, or another reason holds.
func explainNoChip(pattern string) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, path := range paths {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("%w; the user needs the group gpio: usermod -aG gpio USER; as a service, install loops.conf (flash.md)", err)
		}
		if err == nil {
			f.Close()
		}
	}
	return nil
}

// FindLines looks up lines among those of ListLines and returns them in order. Its
// error lists all that are missing, ambiguous or named twice.
func FindLines(all []FoundLine, want []Line) ([]FoundLine, error) {
	var errs []error
	found := make([]FoundLine, 0, len(want))
	for _, w := range want {
		f, err := findLine(all, w)
		if err == nil && slices.ContainsFunc(found, func(o FoundLine) bool { return o.Path == f.Path && o.Offset == f.Offset }) {
			err = fmt.Errorf("line %s is named twice", w.Name)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, f)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return found, nil
}

// findLine looks up one line. A name on several chips means the board's own chip
// (pinctrl-…), if one of them is.
func findLine(all []FoundLine, w Line) (FoundLine, error) {
	var hits []FoundLine
	var chips []string
	for _, f := range all {
		if !slices.Contains(chips, f.Chip) {
			chips = append(chips, f.Chip)
		}
		if f.Name == w.Name && (w.Chip == "" || f.Chip == w.Chip) {
			hits = append(hits, f)
		}
	}
	if len(hits) > 1 {
		own := slices.DeleteFunc(slices.Clone(hits), func(f FoundLine) bool { return !strings.HasPrefix(f.Chip, "pinctrl-") })
		if len(own) == 1 {
			hits = own
		}
	}
	switch {
	case len(hits) == 1:
		return hits[0], nil
	case len(hits) > 1:
		var on []string
		for _, h := range hits {
			on = append(on, h.Chip)
		}
		return FoundLine{}, fmt.Errorf("line %s is on several chips: name one of %s", w.Name, strings.Join(on, ", "))
	case w.Chip != "" && !slices.Contains(chips, w.Chip):
		return FoundLine{}, fmt.Errorf("no gpio chip %s: there are %s", w.Chip, strings.Join(chips, ", "))
	case w.Chip != "":
		return FoundLine{}, fmt.Errorf("gpio chip %s has no line %s", w.Chip, w.Name)
	}
	return FoundLine{}, fmt.Errorf("no gpio line %s on any of %d chips", w.Name, len(chips))
}
