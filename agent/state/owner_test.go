package state

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The test starts itself again as another user, who may enter the directory but not
// write it.
func TestAStateDirectoryOfAnotherUserIsRefused(t *testing.T) {
	if dir := os.Getenv("KERB_TEST_OWNER"); dir != "" {
		if err := CheckOwner(dir); err != nil {
			os.Stdout.WriteString("refused: " + err.Error() + "\n")
		}
		return
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Join(dir, "not there")} {
		if err := CheckOwner(d); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	shared, err := os.MkdirTemp("", "kerb-owner-") // another user may not enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(shared)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(shared, "test")
	if err := os.WriteFile(bin, self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		cmd := exec.Command(bin, "-test.run", "^"+t.Name()+"$")
		cmd.Dir, cmd.Env = shared, append(os.Environ(), "KERB_TEST_OWNER="+shared)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if out := ask(); !strings.Contains(out, "refused: "+shared+" belongs to root") {
		t.Errorf("%s", out)
	}
	if err := os.Chmod(shared, 0o777); err != nil {
		t.Fatal(err)
	}
	if out := ask(); strings.Contains(out, "refused") {
		t.Errorf("control: %s", out)
	}
	writeFile(t, filepath.Join(shared, SpoolFile), "x", 0o600)
	if out := ask(); !strings.Contains(out, SpoolFile+" belongs to root") {
		t.Errorf("a file of root's in it: %s", out)
	}
}
