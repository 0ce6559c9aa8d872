package process

import (
	"errors"
	"os/exec"
	"syscall"
)

// StartIsolated starts a command in a new, empty network namespace
// (CLONE_NEWNET), where its inherited descriptors are all that it reaches. Without
// the right to that (CAP_SYS_ADMIN) it adds a user namespace, in which no
// user is mapped. Where the kernel refuses both, the command starts without
// either, and its own report on the walls says so. An exec.Cmd cannot be started
// twice, so command makes a new one for each attempt. It returns the last one.
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

// isNamespaceRefusal reports whether err is one by which a kernel refuses
// namespaces (clone(2)): by rights, by a filter, by a limit, or by its build.
func isNamespaceRefusal(err error) bool {
	for _, e := range []syscall.Errno{syscall.EPERM, syscall.EINVAL, syscall.ENOSPC, syscall.EUSERS, syscall.ENOSYS, syscall.EACCES} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
