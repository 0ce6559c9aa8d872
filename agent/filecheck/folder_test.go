package filecheck

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aead.dev/minisign"

	"kerb/agent/policy/policytest"
)

// siteText is a site.toml that names files of another machine.
const siteText = `
[device]
tenant = "city"
site = "high-street"
name = "pi-%d"
[broker]
url = "mqtts://broker.example"
ca_file = "/etc/kerb/ca.pem"
[[camera]]
name = "north"
source = "rtsp://10.0.0.1/stream"
user = "kerb"
password_file = "/etc/kerb/camera.password"
[[camera.line]]
id = "kerb"
classes = ["person"]
from = [0.1, 0.5]
to = [0.9, 0.5]
`

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEachWrongFileOfAFolderIsNamed(t *testing.T) {
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "a[b]*") // a path is no pattern
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, filepath.Join(t.TempDir(), "policy.toml"), policytest.Daytime)
	good := func(i int) string { return fmt.Sprintf(siteText, i) }
	trust := "[trust]\nmode = \"signed\"\nkeys = [\"" + public.String() + "\"]\n"
	files := map[string][2]string{ // text, and the mistake
		"good-1.toml":   {good(1), ""},
		"good-2.toml":   {good(2), ""},
		"serial-1.toml": {strings.Replace(good(3), "pi-3", "serial", 1), ""},
		"serial-2.toml": {strings.Replace(good(4), "pi-4", "serial", 1), ""},
		"zz-twin.toml":  {good(1), "names the device city/high-street/pi-1, as " + filepath.Join(dir, "good-1.toml")},
		"value.toml":    {strings.Replace(good(5), "0.1, 0.5", "0.1, 1.5", 1), "value.toml:17: camera[0].line[0].from"},
		"class.toml":    {strings.Replace(good(6), `["person"]`, `["motorcycle"]`, 1), "class.toml:15: stream kerb"},
		"signed.toml":   {good(7) + trust, "signed.toml: trust: the policy is refused"},
		"broken.toml":   {"[device", "broken.toml:1"},
		"policy.toml":   {policytest.Daytime, "is a policy, not a site file"},
		"notes.txt":     {"no site file", ""},
	}
	for name, f := range files {
		writeFile(t, filepath.Join(dir, name), f[0])
	}
	f, err := CheckFolder(t.Context(), dir, path)
	if err != nil || f.Files != 10 || f.Wrong != 6 {
		t.Fatalf("%v, %d of %d wrong", err, f.Wrong, f.Files)
	}
	told := f.Err().Error()
	for name, f := range files {
		if f[1] == "" && strings.Contains(told, "\n"+filepath.Join(dir, name)) || !strings.Contains(told, f[1]) {
			t.Errorf("%s: %q is not what is told:\n%s", name, f[1], told)
		}
	}
	writeFile(t, path+".minisig", string(minisign.Sign(private, policytest.Parse(t, policytest.Daytime).Canonical())))
	if f, err := CheckFolder(t.Context(), dir, path); err != nil || f.Wrong != 5 {
		t.Errorf("the policy is signed now: %v, %d wrong", err, f.Wrong)
	}
	for _, dir := range []string{t.TempDir(), filepath.Join(dir, "away")} {
		if _, err := CheckFolder(t.Context(), dir, path); err == nil {
			t.Errorf("%s has no site file", dir)
		}
	}
}

func TestAFolderOfMistakesTellsTheFirstHundred(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, filepath.Join(t.TempDir(), "policy.toml"), policytest.Daytime)
	for i := range 150 {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%03d.toml", i)), "[device")
	}
	if f, err := CheckFolder(t.Context(), dir, path); err != nil || f.Wrong != 150 || len(f.Mistakes) != maxMistakes {
		t.Errorf("%v, %d wrong, %d mistakes", err, f.Wrong, len(f.Mistakes))
	}
}

// A pipe, a device or a file of unusual size is a mistake and is not read: a pipe would wait for ever,
// also after SIGTERM, and a link to /dev/zero fill the memory.
func TestWhatIsNoFileInAFolderIsNotRead(t *testing.T) {
	dir := t.TempDir()
	policyPath := writeFile(t, filepath.Join(t.TempDir(), "policy.toml"), policytest.Daytime)
	writeFile(t, filepath.Join(dir, "large.toml"), strings.Repeat("#", 2<<20))
	if err := errors.Join(syscall.Mkfifo(filepath.Join(dir, "pipe.toml"), 0o600), os.Symlink("/dev/zero", filepath.Join(dir, "zero.toml")),
		os.Mkdir(filepath.Join(dir, "folder.toml"), 0o700)); err != nil {
		t.Fatal(err)
	}
	f, err := CheckFolder(t.Context(), dir, policyPath)
	if err != nil || f.Files != 4 || f.Wrong != 4 {
		t.Errorf("%d files, %d wrong: %v", f.Files, f.Wrong, err)
	}
	for _, name := range []string{"pipe.toml: is no file", "zero.toml: is no file", "folder.toml: is no file", "large.toml is larger than 1 MiB"} {
		if !strings.Contains(f.Err().Error(), name) {
			t.Errorf("not told: %s, in\n%v", name, f.Err())
		}
	}
	if strings.Contains(f.Err().Error(), "\n:") {
		t.Errorf("a mistake without a file begins with a colon:\n%v", f.Err())
	}
}
