package status

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"kerb/agent/state"
)

// The user that owns the state directory puts a link to a socket of root there. The
// control reaches that socket by the same link, as root did before.
func TestRootIsNotLedToAnotherSocketByALink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: a directory of another user cannot be made")
	}
	const nobody = 65534
	secret, dir := t.TempDir(), t.TempDir()
	target := filepath.Join(secret, "s")
	l, err := net.Listen("unix", target)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	link := filepath.Join(dir, state.StatusSocket)
	if err := errors.Join(os.Chmod(secret, 0o700), os.Symlink(target, link), os.Chown(dir, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("unix", link); err != nil {
		t.Fatalf("control: %v", err)
	} else {
		c.Close()
	}
	c, err := Dial(t.Context(), dir)
	if err == nil {
		c.Close()
		t.Fatal("root was led to a socket of its own")
	}
	if _, ok := errors.AsType[DeniedError](err); !ok {
		t.Errorf("%v, want a DeniedError", err)
	}
}
