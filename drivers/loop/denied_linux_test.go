package loop

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A user without the group gpio is told so, and not that the line does not exist.
func TestAChipThatThisUserMayNotOpenIsTold(t *testing.T) {
	dir := t.TempDir()
	chip := filepath.Join(dir, "gpiochip0")
	if err := os.WriteFile(chip, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := explainNoChip(filepath.Join(dir, "gpiochip*")); err != nil {
		t.Errorf("control: %v", err)
	}
	if err := os.Chmod(chip, 0); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread() // another user for the file system, on this thread alone (setfsuid(2))
	defer runtime.UnlockOSThread()
	if os.Geteuid() == 0 {
		_ = syscall.Setfsuid(65534)
		defer func() { _ = syscall.Setfsuid(0) }()
	}
	err := explainNoChip(filepath.Join(dir, "gpiochip*"))
	if err == nil || !strings.Contains(err.Error(), "permission denied; the user needs the group gpio") {
		t.Errorf("%v", err)
	}
}
