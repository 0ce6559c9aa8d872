package notes

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

const rpiOS = "../../firmware-notes/rpi-os/"

// asGiven are a file as it lies in rpi-os, and with everything said that stands
// there as a comment to be filled in.
func asGiven(t *testing.T, name string, comment *regexp.Regexp) (texts []string) {
	t.Helper()
	text, err := os.ReadFile(rpiOS + name)
	if err != nil {
		t.Fatal(err)
	}
	said := comment.ReplaceAllString(string(text), "$1")
	if said == string(text) {
		t.Fatalf("%s: nothing there is a comment", name)
	}
	return []string{string(text), said}
}

// judged asks a program about a text in a file of that name; an error is what
// it said against it.
func judged(t *testing.T, text, name string, command func(path string) *exec.Cmd) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := command(path)
	if _, err := exec.LookPath(c.Path); err != nil {
		t.Skipf("%s is not installed: it is not asked", filepath.Base(c.Path))
	}
	out, err := c.CombinedOutput()
	if err != nil {
		return errors.New(string(out))
	}
	return nil
}

func TestCloudInitTakesTheUserData(t *testing.T) {
	schema := func(path string) *exec.Cmd { return exec.Command("cloud-init", "schema", "--config-file", path) }
	given := asGiven(t, "user-data", regexp.MustCompile(`(?m)^# (users:|  .*)$`))
	for _, text := range given {
		if err := judged(t, text, "user-data", schema); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	broken := strings.Replace(given[0], "runcmd:", "runcmd: at once\nthen:", 1)
	if err := judged(t, broken, "user-data", schema); err == nil || !strings.Contains(err.Error(), "runcmd") {
		t.Errorf("control: a broken one is not refused: %v", err)
	}
}

func TestNetplanTakesTheNetworkConfig(t *testing.T) {
	generate := func(path string) *exec.Cmd {
		return exec.Command("netplan", "generate", "--root-dir", filepath.Dir(filepath.Dir(filepath.Dir(path))))
	}
	const name = "etc/netplan/50-cloud-init.yaml"
	given := asGiven(t, "network-config", regexp.MustCompile(`(?m)^(  )# `))
	for _, text := range given {
		if err := judged(t, text, name, generate); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	broken := strings.Replace(given[0], "dhcp4: true", "dhcp4: perhaps", 1)
	if err := judged(t, broken, name, generate); err == nil || !strings.Contains(err.Error(), "dhcp4") {
		t.Errorf("control: a broken one is not refused: %v", err)
	}
}

// imager are the keys of custom.toml that Raspberry Pi OS knows:
// usr/lib/raspberrypi-sys-mods/init_config of RPi-Distro/raspberrypi-sys-mods.
type imager struct {
	Version int                       `toml:"config_version"`
	System  struct{ Hostname string } `toml:"system"`
	User    struct {
		Name      string
		Password  string
		Encrypted bool `toml:"password_encrypted"`
	} `toml:"user"`
	SSH struct {
		Enabled  bool
		Password bool     `toml:"password_authentication"`
		Keys     []string `toml:"authorized_keys"`
		Import   []string `toml:"ssh_import_id"`
	} `toml:"ssh"`
	WLAN struct {
		SSID      string
		Password  string
		Encrypted bool `toml:"password_encrypted"`
		Hidden    bool
		Country   string
	} `toml:"wlan"`
	Locale struct{ Keymap, Timezone string } `toml:"locale"`
}

func TestRaspberryPiOSKnowsTheKeysOfCustomToml(t *testing.T) {
	read := func(text string) (i imager, err error) {
		err = toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(&i)
		return i, err
	}
	given := asGiven(t, "custom.toml", regexp.MustCompile(`(?m)^# (\[wlan\]|[a-z_]+ = .*)$`))
	for _, text := range given {
		i, err := read(text)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		if i.Version != 1 || i.System.Hostname == "" || i.User.Name == "" {
			t.Errorf("version 1, a host and a user are wanted: %+v", i)
		}
	}
	if i, _ := read(given[1]); i.WLAN.SSID == "" || i.WLAN.Country == "" || len(i.SSH.Keys) == 0 {
		t.Errorf("its comments name no Wi-Fi, or no key to log in with: %+v", i)
	}
	if _, err := read(given[0] + "\nkeyboard = \"gb\"\n"); err == nil {
		t.Error("control: a key that nobody knows is taken")
	}
}
