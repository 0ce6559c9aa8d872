// The guest of the walls' test: the first program of a virtual machine. It
// makes a machine of what the kernel left, runs kerb in it as root and as an
// ordinary user, and prints one line of JSON for each thing that kerb said.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Getpid() == 1 {
		defer unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	if err := run(); err != nil {
		fmt.Println("GUEST ERROR", err)
	}
}

func run() error {
	if err := furnish(); err != nil {
		return err
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	lsm, _ := os.ReadFile("/sys/kernel/security/lsm") // none: the kernel tells by itself
	fmt.Printf("lsm=%s\n", lsm)
	for _, uid := range []uint32{0, 1000} {
		home := fmt.Sprintf("/tmp/%d", uid)
		if err := os.MkdirAll(filepath.Join(home, "state"), 0o700); err != nil {
			return err
		}
		for _, dir := range []string{home, filepath.Join(home, "state")} {
			if err := os.Chown(dir, int(uid), int(uid)); err != nil {
				return err
			}
		}
		if strings.Contains(string(line), "kerb.walls=expire") {
			return expire(home)
		}
		all := [][]string{{"try", "free"}, {"try", "sense"}, {"try", "uplink", "--state", "state"}, {"try", "supervisor"}}
		if strings.Contains(string(line), "kerb.walls=prove") {
			all = [][]string{{"prove", "-for", "10s", "-json"}}
		}
		for _, args := range all {
			if err := say(uid, home, args); err != nil {
				return err
			}
		}
	}
	return nil
}

// furnish gives programs what they expect of a machine.
func furnish() error {
	for _, m := range []struct{ fs, at string }{
		{"devtmpfs", "/dev"},
		{"proc", "/proc"},
		{"sysfs", "/sys"},
		{"securityfs", "/sys/kernel/security"},
		{"tmpfs", "/tmp"},
		{"tmpfs", "/dev/shm"},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil && !os.IsPermission(err) {
			return err
		}
		if err := unix.Mount(m.fs, m.at, m.fs, 0, ""); err != nil && err != unix.EBUSY && m.fs != "securityfs" {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	if err := os.Chmod("/tmp", 0o1777); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// say runs kerb as a user and prints what it printed.
func say(uid uint32, home string, args []string) error {
	cmd := exec.Command("/kerb", args...)
	cmd.Dir = home
	cmd.Env = []string{"TMPDIR=" + home, "HOME=" + home}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	begun := time.Now()
	failed := cmd.Run()
	result := map[string]any{"uid": uid, "args": args, "words": words.String(), "out": json.RawMessage(out.Bytes())}
	if failed != nil {
		result["failed"] = failed.Error()
	}
	if !json.Valid(out.Bytes()) {
		result["out"] = nil
	}
	b, err := json.Marshal(map[string]any{"scenario": fmt.Sprint(uid, " ", args[0], " ", args[1]), "seconds": time.Since(begun).Seconds(), "result": result})
	if err != nil {
		return err
	}
	fmt.Printf("RESULT %s\n", b)
	return nil
}
