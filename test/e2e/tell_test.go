package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A device whose files are wrong counts nothing. It is heard of all the same,
// even where the rest of the file is no TOML at all.
func TestWrongFilesAreToldToTheBroker(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]string{
		"a key that is not there":  "\n[lamp]\nnonsense = true\n",
		"the end of the file torn": "\n[lamp]\ngpio = \"GPIO1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMosquitto(t)
			s := newSink(t, m.url())
			a := newAgent(t, m.url(), "scene:calm")
			path := filepath.Join(a.dir, "site.toml")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(text, wrong...), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(a.bin, "check", "-tell", "-site", path, "-policy", filepath.Join(a.dir, "policy.toml")).CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("kerb: the broker was told\n")) {
				t.Fatalf("%v:\n%s", err, out)
			}
			for end := time.Now().Add(time.Minute); len(s.messages("event")) == 0 && time.Now().Before(end); {
				time.Sleep(20 * time.Millisecond)
			}
			events := strings.Join(s.messages("event"), "\n")
			if !strings.Contains(events, `"kind":"config_refused"`) || !strings.Contains(events, "site.toml:") {
				t.Errorf("told: %q", events)
			}
			if more := len(s.messages("meta")) + len(s.messages("state")); more > 0 {
				t.Errorf("%d messages of a device that does not run", more)
			}
		})
	}
}
