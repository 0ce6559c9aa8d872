package process

import (
	"errors"
	"os/exec"
	"syscall"
)

// apart starts a process in a network of its own, in which there is nothing:
// what it can speak to is what it is handed. Whoever may not do that gives it
// a user namespace as well, in which it is nobody. Where the kernel refuses
// both it is started as it is, and its own report says so. A failed try leaves
// nothing behind but cmd, which is therefore made anew each time.
func StartIsolated(start func(*exec.Cmd) error, command func() *exec.Cmd) (*exec.Cmd, error) {
	for _, flags := range []uintptr{syscall.CLONE_NEWNET, syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET} {
		cmd := command()
		cmd.SysProcAttr.Cloneflags = flags
		err := start(cmd)
		if err == nil || !isNamespaceRefusal(err) {
			return cmd, err
		}
	}
	cmd := command()
	return cmd, start(cmd)
}

// isNamespaceRefusal tells what a kernel says that gives none: clone(2).
func isNamespaceRefusal(err error) bool {
	for _, e := range []syscall.Errno{syscall.EPERM, syscall.EINVAL, syscall.ENOSPC, syscall.EUSERS, syscall.ENOSYS, syscall.EACCES} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
