package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerb/agent/mistake"
)

// setSerial makes text the serial number of this board; an empty text is none.
func setSerial(t *testing.T, text string) {
	t.Helper()
	path, before := filepath.Join(t.TempDir(), "serial-number"), serialFiles
	t.Cleanup(func() { serialFiles = before })
	serialFiles = []string{path}
	if text != "" {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const serialSite = `
[device]
tenant = "city"
site = "kings-cross"
name = "serial"
[broker]
url = "mqtts://broker.example"
password_file = "password"
user = "kerb"
ca_file = "/etc/kerb/ca.pem"
[[camera]]
name = "north"
source = "http://192.168.1.20/video"
user = "kerb"
password_file = "camera.password"
model = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
[[camera.line]]
id = "kerb"
classes = ["person"]
from = [0.1, 0.5]
to = [0.9, 0.5]
`

func TestASerialNumberIsTheNameOfTheDevice(t *testing.T) {
	text := strings.NewReplacer("password_file = \"password\"\nuser = \"kerb\"\n", "", "ca_file = \"/etc/kerb/ca.pem\"\n", "",
		"user = \"kerb\"\npassword_file = \"camera.password\"\n", "", "model = ", "# ").Replace(serialSite)
	setSerial(t, "10000000ABCDEF01\x00")
	s, err := Parse("site.toml", []byte(text))
	if err != nil || s.Device.Name != "10000000abcdef01" {
		t.Errorf("%v, %+v", err, s)
	}
	setSerial(t, "")
	var wrong mistake.List
	if _, err := Parse("site.toml", []byte(text)); !errors.As(err, &wrong) || wrong[0].Key != "device.name" || !strings.Contains(wrong[0].Want, "no serial number") {
		t.Errorf("without a serial number: %v", err)
	}
}

func TestAFileForAnotherMachineIsCheckedWithoutItsFiles(t *testing.T) {
	setSerial(t, "")
	setSerial(t, "10000000a1b2c3d4") // of the desk
	s, err := ParseElsewhere("site.toml", []byte(serialSite))
	if err != nil || s.Device.Name != "serial" {
		t.Errorf("%v, %+v", err, s)
	}
	if _, err := Parse("site.toml", []byte(serialSite)); err == nil {
		t.Error("the same file is taken on this machine")
	}
	if _, err := ParseElsewhere("site.toml", []byte(strings.Replace(serialSite, `"mqtts://broker.example"`, `"broker"`, 1))); err == nil {
		t.Error("a mistake is taken")
	}
	if _, err := ParseElsewhere("site.toml", []byte(serialSite+"[trust]\nmode = \"signed\"\nkeys = [\"anna.pub\"]\n")); err == nil || !strings.Contains(err.Error(), "written out") {
		t.Errorf("a key in a file of another machine: %v", err)
	}
}
