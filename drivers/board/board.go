// Package board reads the health of the board under kerb from /sys: temperature,
// throttling, supply voltage, and wear of the disk. A fact that the kernel does not
// give is missing, never guessed. Reading needs no privilege and changes no state.
package board

import (
	"io/fs"
	"path"
	"strconv"
	"strings"

	"periph.io/x/host/v3/distro"
)

// Health is the result of one reading. A fact without a flag beside it is 0 where
// unknown.
type Health struct {
	Temperature    float64 // of the processor, °C
	HasTemperature bool

	// Throttled are the flags of a Raspberry Pi's firmware: the low half now,
	// the high half since the start.
	Throttled    Throttle
	HasThrottled bool

	Written uint64 // bytes written to the file system of the state directory since it was made
	Errors  uint64 // errors of that file system since then
	Life    uint8  // of an eMMC: tenths of its life used, the worse of its two estimates; 11: over
}

// Throttle is a set of firmware flags (raspberrypi.com, vcgencmd get_throttled).
type Throttle uint32

// The flags that hold now. Those since the start are the same, shifted to the
// high half.
const (
	UnderVoltage Throttle = 1 << iota // below 4.63 V
	Capped                            // frequency limited
	Slowed                            // throttled
	Hot                               // soft temperature limit reached

	sinceShift = 16 // bits between the two halves
)

// throttleNames are the words of the state message.
var throttleNames = []struct {
	flag Throttle
	name string
}{{UnderVoltage, "under_voltage"}, {Capped, "frequency_capped"}, {Slowed, "throttled"}, {Hot, "soft_temperature_limit"}}

// ActiveFlags lists the words of the flags that hold now, such as under_voltage.
func (t Throttle) ActiveFlags() []string { return t.flagNames() }

// PastFlags lists the words of the flags that held at any time since the start.
func (t Throttle) PastFlags() []string { return (t >> sinceShift).flagNames() }

// flagNames lists the words of the low half.
func (t Throttle) flagNames() []string {
	words := []string{}
	for _, n := range throttleNames {
		if t&n.flag != 0 {
			words = append(words, n.name)
		}
	}
	return words
}

// ReadModel is the name of the board, such as "Raspberry Pi 4 Model B Rev 1.4", or ""
// where it is unknown.
func ReadModel() string {
	if m := distro.DTModel(); !strings.HasPrefix(m, "<") {
		return m
	}
	return ""
}

// ReadHealth reads the facts from sys, which is /sys. device is the block device of the
// state directory as major:minor.
func ReadHealth(sys fs.FS, device string) Health {
	var h Health
	if text, ok := readFirstMatch(sys, "class/thermal/thermal_zone0/temp"); ok {
		if milli, err := strconv.Atoi(text); err == nil {
			h.Temperature, h.HasTemperature = float64(milli)/1000, true
		}
	}
	if text, ok := readFirstMatch(sys, "devices/platform/soc*/*firmware/get_throttled"); ok {
		if v, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 32); err == nil {
			h.Throttled, h.HasThrottled = Throttle(v), true
		}
	}
	// A kernel without that file gives the voltage alarm alone.
	if alarm, ok := readVoltageAlarm(sys); ok && !h.HasThrottled {
		h.HasThrottled = true
		if alarm {
			h.Throttled = UnderVoltage | UnderVoltage<<sinceShift
		}
	}
	name := path.Base(resolveLink(sys, "dev/block/"+device))
	if text, ok := readFirstMatch(sys, "fs/ext4/"+name+"/lifetime_write_kbytes"); ok {
		kb, _ := strconv.ParseUint(text, 10, 54) // 0 where it is no number
		h.Written = kb << 10
	}
	if text, ok := readFirstMatch(sys, "fs/ext4/"+name+"/errors_count"); ok {
		h.Errors, _ = strconv.ParseUint(text, 10, 64)
	}
	for _, up := range []string{"device/life_time", "../device/life_time"} {
		if text, ok := readFirstMatch(sys, path.Join(resolveLink(sys, "dev/block/"+device), up)); ok {
			for _, w := range strings.Fields(text) {
				if n, err := strconv.ParseUint(strings.TrimPrefix(w, "0x"), 16, 8); err == nil {
					h.Life = max(h.Life, uint8(n))
				}
			}
		}
	}
	return h
}

// resolveLink is the target of a symbolic link within sys, or the name itself where
// it is no link.
func resolveLink(sys fs.FS, name string) string {
	to, err := fs.ReadLink(sys, name)
	if err != nil {
		return name
	}
	return path.Join(path.Dir(name), to)
}

// readVoltageAlarm reads the alarm of the Pi's supply; ok is false without such a
// sensor.
func readVoltageAlarm(sys fs.FS) (alarm, ok bool) {
	sensors, _ := fs.Glob(sys, "class/hwmon/hwmon*/name") // the pattern is right
	for _, s := range sensors {
		if text, _ := readFirstMatch(sys, s); text == "rpi_volt" {
			text, ok := readFirstMatch(sys, path.Join(path.Dir(s), "in0_lcrit_alarm"))
			return text == "1", ok
		}
	}
	return false, false
}

// readFirstMatch is the trimmed content of the first file that fits the pattern.
func readFirstMatch(sys fs.FS, pattern string) (string, bool) {
	found, err := fs.Glob(sys, pattern)
	if err != nil || len(found) == 0 {
		return "", false
	}
	b, err := fs.ReadFile(sys, found[0])
	return strings.TrimSpace(string(b)), err == nil
}
