package config

import (
	"errors"
	"os"
	"strings"
)

// SerialName stands in device.name for the serial number of the board, so that one
// site.toml fits many devices.
const SerialName = "serial"

// serialFiles tell the serial number of a board: the device tree of a Raspberry Pi and
// its kin, and the firmware of a PC, which root alone may read.
var serialFiles = []string{"/proc/device-tree/serial-number", "/sys/class/dmi/id/product_serial"}

// readSerial returns the serial number of the board as a level of topics.
func readSerial() (string, error) {
	for _, path := range serialFiles {
		b, err := os.ReadFile(path)
		if name := suggestName(strings.TrimSpace(strings.TrimRight(string(b), "\x00\n"))); err == nil && name != "" {
			return name, nil
		}
	}
	return "", errors.New("looked for " + strings.Join(serialFiles, " and "))
}

// resolveName returns the name of the device: that of the file or, for SerialName, the
// serial number where the board tells it.
func resolveName(name string) string {
	if name != SerialName {
		return name
	}
	if serial, err := readSerial(); err == nil {
		return serial
	}
	return name
}
