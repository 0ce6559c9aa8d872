// Package board tells how the board under kerb is: warm, throttled, short of
// voltage, its card worn. Each fact comes from the kernel; what a board does not
// tell is missing, never guessed. Looking takes no right and changes nothing.
package board

import (
	"io/fs"
	"path"
	"strconv"
	"strings"

	"periph.io/x/host/v3/distro"
)

// Health is one look. A fact that has no flag beside it is 0 where unknown.
type Health struct {
	Temperature    float64 // of the processor, °C
	HasTemperature bool

	// Throttled is what a Raspberry Pi's firmware says: the low half now, the
	// high half since the start.
	Throttled    Throttle
	HasThrottled bool

	Written uint64 // to the file system of the state directory since it was made, bytes
	Errors  uint64 // that this file system met since then
	Life    uint8  // of an eMMC: tenths of its life used, the worse of its two estimates; 11: over
}

// Throttle is a set of firmware flags (raspberrypi.com, vcgencmd get_throttled).
type Throttle uint32

// What the flags say, now; Since moves them to the past.
const (
	UnderVoltage Throttle = 1 << iota // below 4.63 V
	Capped                            // frequency limited
	Slowed                            // throttled
	Hot                               // soft temperature limit reached

	since = 16
)

var throttleNames = []struct {
	flag Throttle
	name string
}{{UnderVoltage, "under_voltage"}, {Capped, "frequency_capped"}, {Slowed, "throttled"}, {Hot, "soft_temperature_limit"}}

// Now names the flags that hold now.
func (t Throttle) Now() []string { return t.flagNames() }

// Since names those that held at any time since the start.
func (t Throttle) Since() []string { return (t >> since).flagNames() }

func (t Throttle) flagNames() []string {
	words := []string{}
	for _, n := range throttleNames {
		if t&n.flag != 0 {
			words = append(words, n.name)
		}
	}
	return words
}

// Model names the board, such as "Raspberry Pi 4 Model B Rev 1.4", or "".
func Model() string {
	if m := distro.DTModel(); !strings.HasPrefix(m, "<") {
		return m
	}
	return ""
}

// Look reads the facts from /sys, which sys is. device is the block device of
// the state directory as major:minor.
func Look(sys fs.FS, device string) Health {
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
	// A kernel without that file tells of the voltage alone.
	if alarm, ok := readVoltageAlarm(sys); ok && !h.HasThrottled {
		h.HasThrottled = true
		if alarm {
			h.Throttled = UnderVoltage | UnderVoltage<<since
		}
	}
	name := path.Base(resolveLink(sys, "dev/block/"+device))
	if text, ok := readFirstMatch(sys, "fs/ext4/"+name+"/lifetime_write_kbytes"); ok {
		kb, _ := strconv.ParseUint(text, 10, 54) // what is no number is 0
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

// resolveLink is where a symbolic link within sys leads, or its own name.
func resolveLink(sys fs.FS, name string) string {
	to, err := fs.ReadLink(sys, name)
	if err != nil {
		return name
	}
	return path.Join(path.Dir(name), to)
}

// readVoltageAlarm is the alarm of the Pi's supply, if there is such a sensor.
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
