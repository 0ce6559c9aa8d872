package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nobody is the user that owns the state directory in these tests.
const nobody = 65534

// linkedState is a state directory of nobody's, whose entries are links to root's files.
type linkedState struct {
	*agent
	state, victim string
}

// newLinkedState builds kerb. The parents may be entered by all, so that the rights of the
// files alone decide. It needs root.
func newLinkedState(t *testing.T) linkedState {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be led")
	}
	p := linkedState{agent: newAgent(t, "mqtt://127.0.0.1:1", "scene:calm")}
	for dir := p.dir; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		p.must(os.Chmod(dir, 0o755))
	}
	p.state, p.victim = filepath.Join(p.dir, "state"), filepath.Join(p.dir, "victim")
	return p
}

// count runs kerb shortly, and makes its spool and audit log root's other files.
func (p linkedState) count() {
	p.start()
	p.await("camera  north", "pictures/s")
	p.stop()
	p.must(os.Rename(p.state, p.victim))
	p.must(os.Chmod(p.victim, 0o755))
}

func (p linkedState) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// link plants a link in the state directory and gives both to a user.
func (p linkedState) link(name, target string, owner int) {
	p.t.Helper()
	path := filepath.Join(p.state, name)
	_ = os.Remove(path)
	p.must(os.MkdirAll(filepath.Dir(path), 0o755))
	p.must(os.Symlink(target, path))
	for _, of := range []string{path, filepath.Dir(path), p.state} {
		p.must(os.Lchown(of, owner, owner))
	}
}

// run runs a command of kerb on the files, with the policy where it takes one.
func (p linkedState) run(words ...string) string {
	p.t.Helper()
	words = append(words, "-site", filepath.Join(p.dir, "site.toml"))
	if words[0] == "aim" {
		words = append(words, "-policy", filepath.Join(p.dir, "policy.toml"))
	}
	cmd := exec.Command(p.bin, words...)
	cmd.Dir = p.dir
	out, _ := cmd.CombinedOutput()
	return string(out)
}

// Commands as root that only read show nothing of root's through a link. The control, in a
// directory of root's, shows it.
func TestRootReadsNothingThroughTheLinksOfAnother(t *testing.T) {
	t.Parallel()
	p := newLinkedState(t)
	p.count()
	for _, c := range []struct {
		link, target string
		words        []string
		shown        string
	}{
		{"audit", "audit", []string{"audit"}, "policy_admitted"},
		{"audit", "audit", []string{"audit", "verify"}, "whole"},
		{"spool.db", "spool.db", []string{"spool"}, "across"},
		{"spool.db", "spool.db", []string{"status"}, "windows wait"},
	} {
		for _, owner := range []int{0, nobody} {
			p.link(c.link, filepath.Join(p.victim, c.target), owner)
			out := p.run(c.words...)
			if got := strings.Contains(out, c.shown); got != (owner == 0) {
				t.Errorf("%q in a directory of user %d shows %q: %t\n%s", c.words, owner, c.shown, got, out)
			}
			if strings.Contains(out, "/proc/self/fd") {
				t.Errorf("%q names the directory by a descriptor: %s", c.words, out)
			}
		}
	}
}

// The attacks of a red team: kerb aim wrote its entries through a planted link, and kerb
// wipe destroyed the logs of another directory. The control shows that the link leads
// there.
func TestRootWritesAndWipesNothingThroughTheLinksOfAnother(t *testing.T) {
	t.Parallel()
	p := newLinkedState(t)
	passwd, logs := filepath.Join(p.dir, "passwd"), filepath.Join(p.dir, "logs")
	p.must(os.WriteFile(passwd, []byte("root:x:0:0\n"), 0o600))
	p.link("audit/0000000001.log", passwd, nobody)
	if through, err := os.ReadFile(filepath.Join(p.state, "audit/0000000001.log")); err != nil || string(through) != "root:x:0:0\n" {
		t.Fatalf("control: root does not see the file through the link: %q, %v", through, err)
	}
	out := p.run("aim", "-listen", "127.0.0.1:0")
	if text, err := os.ReadFile(passwd); err != nil || string(text) != "root:x:0:0\n" {
		t.Errorf("kerb aim wrote %q, %v\n%s", text, err, out)
	}
	p.must(os.RemoveAll(filepath.Join(p.state, "audit")))
	p.must(os.Mkdir(logs, 0o755))
	for _, name := range []string{"auth.log", "0000000001.log"} {
		p.must(os.WriteFile(filepath.Join(logs, name), []byte("x\n"), 0o600))
	}
	p.link("audit", logs, nobody)
	out = p.run("wipe", "-yes")
	for _, name := range []string{"auth.log", "0000000001.log"} {
		if text, err := os.ReadFile(filepath.Join(logs, name)); !bytes.Equal(text, []byte("x\n")) || strings.Contains(out, name+" destroyed") {
			t.Errorf("kerb wipe left %q of %s, %v\n%s", text, name, err, out)
		}
	}
}
