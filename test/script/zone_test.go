package script

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

const helsinki = `schema = "kerb.policy/1"
version = 1
title = "daytime"
purpose = "statistical"
count = { streams = ["line"], classes = ["person"] }
camera.follow_max = "30s"
hours = { open = ["Mon-Fri 07:00-19:00"], timezone = "Europe/Helsinki" }
clear = { window = "15m", method = "noise", epsilon = 1, below = 5 }
keep.retention = "24h"
`

// A policy's hours have a time zone. The binary is put where nothing else is:
// no zoneinfo, as on an image that holds little more than kerb.
func TestTheBinaryKnowsTimeZonesWhereTheSystemHasNone(t *testing.T) {
	root := t.TempDir()
	bare := func(name, zone string) ([]byte, error) {
		text := bytes.Replace([]byte(helsinki), []byte("Europe/Helsinki"), []byte(zone), 1)
		if err := os.WriteFile(filepath.Join(root, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/kerb", "explain", "/"+name)
		cmd.Env = []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		if os.Getuid() != 0 {
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		}
		return cmd.CombinedOutput()
	}
	kerb, err := os.ReadFile(filepath.Join(bin, "kerb"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "kerb"), kerb, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := bare("policy.toml", "Europe/Helsinki")
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		t.Skipf("this machine lets nobody change the root: %v", err)
	}
	if err != nil || !bytes.Contains(out, []byte("Europe/Helsinki")) {
		t.Errorf("%v\n%s", err, out)
	}
	// The control: a zone that nobody knows is refused.
	if out, err := bare("nowhere.toml", "Europe/Nowhere"); err == nil || !bytes.Contains(out, []byte("hours.timezone")) {
		t.Errorf("Europe/Nowhere: %v\n%s", err, out)
	}
}
