package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A password goes to another machine in the clear by no scheme of the broker, and from a
// camera only where site.toml allows it.
func TestAPasswordGoesInTheClearOnlyWhereItMay(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pw"), []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, refused := range map[string]bool{
		"mqtt://broker.example": true, "ws://broker.example/mqtt": true, "ws://[2001:db8::1]/mqtt": true,
		"mqtts://broker.example": false, "wss://broker.example/mqtt": false, "mqtt://127.0.0.1": false, "ws://localhost/mqtt": false,
	} {
		text := strings.Replace(`[device]
name = "a"
site = "b"
tenant = "c"
clock_floor = "2026-01-01"
[broker]
url = "URL"
user = "u"
password_file = "pw"
`, "URL", url, 1)
		_, err := Parse(filepath.Join(dir, "site.toml"), []byte(text))
		if got := err != nil && strings.Contains(err.Error(), "in the clear"); got != refused {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, c := range []struct {
		source  string
		allowed bool
		refused bool
	}{
		{"http://10.0.0.2/video", false, true},
		{"rtsp://camera.example/live", false, true},
		{"http://10.0.0.2/video", true, false},
		{"https://10.0.0.2/video", false, false},
		{"rtsps://10.0.0.2/live", false, false},
		{"http://127.0.0.1/video", false, false},
		{"/dev/video0", false, false},
	} {
		source, err := ParseSource(c.source)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Camera{Source: source, BasicAuth: c.allowed}).RefusesBasic(); got != c.refused {
			t.Errorf("%s, allowed %t: refuses Basic: %t", c.source, c.allowed, got)
		}
	}
}
