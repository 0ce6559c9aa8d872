package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// The modes of access(2).
const (
	mayRead  = 4
	mayWrite = 2
	mayEnter = 1
)

// CheckOwner returns an error for a state directory, or a file in it, that this user
// may not write: an agent that cannot store is not started. A directory that does not
// exist, and one on a disk that is read-only or fails, are no error: an agent counts
// in memory then.
func CheckOwner(dir string) error {
	for _, f := range []struct {
		path string
		mode uint32
	}{
		{dir, mayRead | mayWrite | mayEnter}, {filepath.Join(dir, SpoolFile), mayRead | mayWrite}, {filepath.Join(dir, AuditDir), mayRead | mayWrite | mayEnter},
	} {
		if err := syscall.Access(f.path, f.mode); errors.Is(err, syscall.EACCES) {
			return fmt.Errorf("%s belongs to %s, and %s may not write it: chown -R %[3]s %[4]s, or run kerb as its owner", f.path, ownerName(f.path), userName(os.Geteuid()), dir)
		}
	}
	return nil
}

// MakeDir makes the state directory, for this user alone, where it is not there. It is no
// error that the disk is read-only or fails: an agent counts in memory then.
func MakeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("make the state directory: %w: another [device] state in site.toml, or sudo", err)
	}
	return nil
}

// ownerName names the owner of a file.
func ownerName(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "another user"
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "another user"
	}
	return userName(int(st.Uid))
}

// userName names a user, or gives the number.
func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}
