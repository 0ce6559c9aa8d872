package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// Two builds of one commit in one folder are equal, byte for byte: the commit's
// time replaces the time of the day, and constants replace random numbers.

const permUUID = "6b657262-0000-4000-8000-000000000004" // of the fourth partition, on every card

// lastCommitTime is the time of the last commit.
func lastCommitTime() (time.Time, error) {
	out, err := exec.Command("git", "log", "-1", "--format=%ct").Output()
	if err != nil {
		return time.Time{}, fmt.Errorf("ask git for the last commit: %w", err)
	}
	var seconds int64
	_, err = fmt.Sscan(string(out), &seconds)
	return time.Unix(seconds, 0).UTC(), err
}

// withFixedTime gives a program of mtools, of e2fsprogs or of Go the time when
// instead of the present.
func withFixedTime(c *exec.Cmd, when time.Time) *exec.Cmd {
	c.Env = append(os.Environ(),
		fmt.Sprintf("SOURCE_DATE_EPOCH=%d", when.Unix()),
		fmt.Sprintf("E2FSPROGS_FAKE_TIME=%d", when.Unix()),
		"GOFLAGS=-trimpath -ldflags=-buildid=", "TZ=UTC")
	return c
}

// rebuildSquashfs makes the system at an offset of the image again with the commit's
// time, because gokrazy gives every file in it the time of the day.
func (b build) rebuildSquashfs(at int64) error {
	dir, err := os.MkdirTemp("", "kerb-root-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, made := filepath.Join(dir, "root"), filepath.Join(dir, "squashfs")
	when := strconv.FormatInt(b.commitTime.Unix(), 10)
	if err := runCommand(exec.Command("unsquashfs", "-quiet", "-no-progress", "-offset", strconv.FormatInt(at, 10), "-dest", root, b.out)); err != nil {
		return err
	}
	if err := replaceStamp(filepath.Join(root, "gokrazy/init"), b.startTime, b.commitTime); err != nil {
		return err
	}
	err = runCommand(exec.Command("mksquashfs", root, made, "-quiet", "-no-progress", "-noappend", "-all-root", "-no-xattrs", "-mkfs-time", when, "-all-time", when))
	if err != nil {
		return err
	}
	system, err := os.Open(made)
	if err != nil {
		return err
	}
	defer system.Close()
	return replaceSquashfs(b.out, at, system)
}

// stampPattern matches the build time that gokrazy writes into its init.
var stampPattern = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// replaceStamp replaces the build time in a program, in place. Times before begun
// stay.
func replaceStamp(path string, begun, when time.Time) error {
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	found := 0
	program = stampPattern.ReplaceAllFunc(program, func(text []byte) []byte {
		if at, err := time.Parse(time.RFC3339, string(text)); err != nil || at.Before(begun.Truncate(time.Second)) {
			return text
		}
		found++
		return []byte(when.Format(time.RFC3339))
	})
	if found == 0 {
		return fmt.Errorf("%s does not say when it was built", path)
	}
	return os.WriteFile(path, program, 0o755)
}

// replaceSquashfs replaces the squashfs at an offset of a file, and fills the former
// one with zeros.
func replaceSquashfs(path string, at int64, system io.Reader) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	used := make([]byte, 8) // bytes_used of the superblock
	if _, err := f.ReadAt(used, at+40); err != nil {
		return err
	}
	if at == 0 { // the file is the squashfs alone
		if err := f.Truncate(0); err != nil {
			return err
		}
	} else if _, err := io.CopyN(io.NewOffsetWriter(f, at), zeroReader{}, int64(binary.LittleEndian.Uint64(used))); err != nil {
		return err
	}
	if _, err := io.Copy(io.NewOffsetWriter(f, at), system); err != nil {
		return err
	}
	return f.Close()
}

// zeroReader is an endless source of zeros.
type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
