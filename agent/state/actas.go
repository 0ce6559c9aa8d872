package state

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Owner acts on a state directory with the rights of the user that owns it. Root must
// not follow the links that this user can put there: with the owner's own rights they
// lead to nothing that the user could not reach anyway, and new files belong to the
// user.
type Owner struct {
	path     string
	dir      *os.File // nil: this process acts as itself
	uid, gid int
}

// OpenOwner finds the owner of the state directory at path. Where the directory does not
// exist or belongs to root, and for every user but root, Do acts as this process. The
// error is that of opening the directory.
func OpenOwner(path string) (*Owner, error) {
	o := &Owner{path: path}
	if os.Geteuid() != 0 {
		return o, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Uid == 0 {
		return o, errors.Join(err, f.Close())
	}
	o.dir, o.uid, o.gid = f, int(st.Uid), int(st.Gid)
	return o, nil
}

// ActAsOwner calls f once as Owner.Do does. An error names the directory by path.
func ActAsOwner(path string, f func(dir string) error) error {
	o, err := OpenOwner(path)
	if err != nil {
		return err
	}
	return errors.Join(o.Do(f), o.Close())
}

// actError is an error of Do that names the directory by its own path.
type actError struct {
	error
	inside, path string
}

// Error returns the text with the directory's path.
func (e actError) Error() string { return strings.ReplaceAll(e.error.Error(), e.inside, e.path) }

// Unwrap returns the error of f.
func (e actError) Unwrap() error { return e.error }

// IsOther reports whether root acts for another user.
func (o *Owner) IsOther() bool { return o.dir != nil }

// Close forgets the directory. Paths that Do gave are then void.
func (o *Owner) Close() error {
	if o.dir == nil {
		return nil
	}
	return o.dir.Close()
}

// Do calls f with the path of the directory, on a thread whose rights on files are those
// of the owner (setfsuid(2), which also takes away root's own: capabilities(7)). f must
// open, rename and remove in the goroutine that calls it. The path leads past parent
// directories that the owner may not enter, and stays good until Close.
func (o *Owner) Do(f func(dir string) error) (err error) {
	if o.dir == nil {
		return f(o.path)
	}
	runtime.LockOSThread() // a thread that cannot become root again ends with its goroutine
	groups, err := unix.Getgroups()
	if err != nil {
		return err
	}
	if err := o.become(o.uid, o.gid, nil); err != nil {
		return fmt.Errorf("become the owner of %s: %w", o.path, errors.Join(err, o.become(0, os.Getegid(), groups)))
	}
	defer func() {
		if back := o.become(0, os.Getegid(), groups); back != nil {
			err = errors.Join(err, back)
			return
		}
		runtime.UnlockOSThread()
	}()
	inside := fmt.Sprintf("/proc/self/fd/%d", o.dir.Fd())
	if err := f(inside); err != nil {
		return actError{err, inside, o.path}
	}
	return nil
}

// become sets the groups and the rights on files of this thread alone.
func (o *Owner) become(uid, gid int, groups []int) error {
	if uid == 0 { // first, because the rest needs root's capabilities
		if _, err := unix.SetfsuidRetUid(0); err != nil {
			return err
		}
	}
	if err := unix.Setgroups(groups); err != nil {
		return err
	}
	if _, err := unix.SetfsgidRetGid(gid); err != nil {
		return err
	}
	if _, err := unix.SetfsuidRetUid(uid); err != nil {
		return err
	}
	// setfsuid returns no error: a call with an invalid user returns the present one.
	if now, _ := unix.SetfsuidRetUid(-1); now != uid {
		return syscall.EPERM
	}
	return nil
}

// RefuseRoot returns an error for root where the directory is another user's: a process
// that runs for long must not write there as root.
func RefuseRoot(dir, command string) error {
	o, err := OpenOwner(dir)
	if err != nil || !o.IsOther() {
		return err
	}
	name := userName(o.uid)
	return errors.Join(fmt.Errorf("%s belongs to %s, and %s as root would follow the links of that user: systemctl start kerb, or sudo -u %s %s", dir, name, command, name, command), o.Close())
}
