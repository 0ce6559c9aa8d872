package state

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// replace puts a new file in the place of path, whole or not at all, with the
// mode and the owner of another one.
func Replace(path string, data []byte, like string) (err error) {
	mode, uid, gid := os.FileMode(0o600), -1, -1
	if info, err := os.Stat(like); err == nil {
		mode = info.Mode().Perm()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(st.Uid), int(st.Gid)
		}
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
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
	err = errors.Join(err, f.Chmod(mode))
	if os.Geteuid() == 0 && uid >= 0 {
		err = errors.Join(err, f.Chown(uid, gid))
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// admittedFile holds the policy that was last in force: the reference against
// which an older or looser one is told, and what the device goes on under when
// a new one is refused. It is the canonical form, followed by its signatures
// as comments, so that one rename replaces all of it.
const AdmittedFile = "policy-admitted.toml"

// replaceFile puts data in the place of a file at once: after a power cut the
// old one is there, or the new one, and whole.
func ReplaceFile(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(filepath.Dir(path))
}

// syncDir makes what was renamed or removed in a directory stay so.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
