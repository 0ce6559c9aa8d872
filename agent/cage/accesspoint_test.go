package cage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// liveAsAccessPoint tries to read what an access point needs, and a file of kerb's: before
// the walls, which must succeed, and behind them.
func liveAsAccessPoint(*outcome) error {
	secret := os.Getenv("KERB_CAGE_READ")
	try := func(path string) error { _, err := os.ReadFile(path); return err }
	if err := try(secret); err != nil {
		return err
	}
	if _, err := RestrictAccessPoint(); err != nil {
		return err
	}
	if err := try("/proc/sys/net/ipv4/ip_forward"); err != nil {
		return err
	}
	if err := try(secret); !errors.Is(err, fs.ErrPermission) {
		return errors.New("a file of kerb's can be read")
	}
	return nil
}

func TestTheProcessOfAnAccessPointReadsNoFileOfKerbs(t *testing.T) {
	if withCgo {
		t.Skip("built with cgo: the cage is for programs without")
	}
	if landlockABI() == 0 {
		t.Skip("this kernel has no Landlock")
	}
	secret := filepath.Join(t.TempDir(), "spool")
	if err := os.WriteFile(secret, []byte("counts"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ := child(t, "access point", os.Getuid(), "KERB_CAGE_READ="+secret)
	run(t, c)
}
