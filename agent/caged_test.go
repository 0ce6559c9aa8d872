package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// said is what a process has said so far.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Every kind of network camera opens inside the walls, where nothing is dialled
// and nothing is read but what is handed in; and no password is ever said, nor
// to be seen among the words of a process.
func TestEverySourceOpensInsideTheWalls(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it waits for real cameras")
	}
	all := sources(t)
	dir := t.TempDir()
	bin := filepath.Join(dir, "kerb")
	build := exec.Command("go", "build", "-o", bin, "kerb/agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build kerb: %v\n%s", err, out)
	}
	site := "[device]\nname = \"a\"\nsite = \"b\"\ntenant = \"c\"\nstate = \"state\"\nclock_floor = \"2020-01-01\"\n[broker]\nurl = \"mqtt://127.0.0.1:1\"\n"
	var names []string
	for _, s := range all {
		c := s.camera
		names = append(names, c.Name)
		site += fmt.Sprintf("[[camera]]\nname = %q\nsource = %q\nfps = 10\ndetector = \"motion\"\n", c.Name, c.Source)
		if c.User != "" {
			site += fmt.Sprintf("user = %q\npassword_file = %q\n", c.User, c.PasswordFile)
		}
		if c.UDP {
			site += "transport = \"udp\"\n"
		}
		site += fmt.Sprintf("[[camera.line]]\nid = %q\nfrom = [0.0, 0.5]\nto = [1.0, 0.5]\nclasses = [\"person\"]\n", c.Name)
	}
	policy := "schema = \"kerb.policy/1\"\nversion = 1\ntitle = \"test\"\npurpose = \"statistical\"\ncount.streams = [\"line\"]\ncount.classes = [\"person\"]\ncamera.follow_max = \"60s\"\nclear.window = \"1m\"\nclear.method = \"noise\"\nclear.epsilon = 1\nclear.below = 0\nclear.overlap = 2\nkeep.retention = \"24h\"\n"
	for name, text := range map[string]string{"site.toml": site, "policy.toml": policy} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var words said
	run := exec.Command(bin, "run", "-site", filepath.Join(dir, "site.toml"), "-policy", filepath.Join(dir, "policy.toml"))
	run.Stderr = &words
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer run.Wait()
	defer run.Process.Kill()
	missing := names
	for end := time.Now().Add(2 * time.Minute); len(missing) > 0 && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		missing = slices.DeleteFunc(slices.Clone(names), func(n string) bool {
			return strings.Contains(words.String(), "msg=\"camera open\" camera="+n+" ")
		})
	}
	if len(missing) > 0 {
		t.Errorf("%v did not open:\n%s", missing, words.String())
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range processes {
		if b, _ := os.ReadFile(path); bytes.Contains(b, []byte(sesame)) {
			t.Errorf("%s holds the password: %q", path, b)
		}
	}
	if strings.Contains(words.String(), sesame) || strings.Contains(words.String(), "se%3Fsame") {
		t.Error("the log holds the password")
	}
}
