// Walls is the init process of the virtual machine for the cage's test. It
// mounts the kernel's file systems, runs kerb try, kerb prove or kerb aim as
// root and as an ordinary user, and prints the output of each run as one line
// of JSON. kerb.walls= on the kernel's command line selects the run. It judges
// no result itself.
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
	if err := mountAll(); err != nil {
		return err
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	lsm, _ := os.ReadFile("/sys/kernel/security/lsm") // empty without securityfs: then the kernel's own log lists its modules
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
			return runExpire(home)
		}
		all := [][]string{{"try", "free"}, {"try", "sense"}, {"try", "uplink", "--state", "state"}, {"try", "supervisor"}, {"try", "decode"}}
		if strings.Contains(string(line), "kerb.walls=prove") {
			all = [][]string{{"prove", "-for", "10s", "-json"}}
		}
		for _, args := range all {
			if err := runKerb(uid, home, args); err != nil {
				return err
			}
		}
	}
	return nil
}

// mountAll mounts the file systems that programs expect, and sets up the
// loopback interface.
func mountAll() error {
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

// runKerb runs kerb as a user and prints its output as one line of JSON.
func runKerb(uid uint32, home string, args []string) error {
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
