package state

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// privateMode is the mode of a new file that resembles no other: only its owner
// reads and writes it.
const privateMode os.FileMode = 0o600

// Replace replaces the file at path with data. A power cut leaves the old file
// or the new one, each complete: the data goes to a temporary file beside path,
// is synced, renamed over path, and the directory is synced.
//
// like names the file whose mode and, for root, owner the new file gets; where
// it does not exist, the new file is private (mode 0600) and belongs to this
// process. With like, a symbolic link at path is followed and its target is
// replaced, because an engineer may keep site.toml elsewhere. With an empty like
// the file is private and a link at path is itself replaced: kerb alone writes
// such a file.
//
// It returns the error of the first step that did not work; path is then
// unchanged unless only the directory could not be synced.
func Replace(path string, data []byte, like string) (err error) {
	mode, uid, gid := privateMode, -1, -1
	if like != "" {
		mode, uid, gid = modeAndOwner(like)
		if target, err := filepath.EvalSymlinks(path); err == nil {
			path = target
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if mode != privateMode { // os.CreateTemp made it private; the walls of the uplink forbid chmod(2)
		err = errors.Join(err, f.Chmod(mode))
	}
	if os.Geteuid() == 0 && uid >= 0 {
		err = errors.Join(err, f.Chown(uid, gid))
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// modeAndOwner returns the permission bits, user and group of a file; private
// and -1 where it cannot be read.
func modeAndOwner(path string) (mode os.FileMode, uid, gid int) {
	info, err := os.Stat(path)
	if err != nil {
		return privateMode, -1, -1
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return info.Mode().Perm(), int(st.Uid), int(st.Gid)
	}
	return info.Mode().Perm(), -1, -1
}

// SyncDir syncs a directory, so that a rename or a removal in it survives a
// power cut.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
