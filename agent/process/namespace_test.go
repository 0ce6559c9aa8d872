package process

import (
	"errors"
	"os/exec"
	"slices"
	"syscall"
	"testing"
)

func TestIsolationFallsBackToWhatTheKernelGives(t *testing.T) {
	const net, both = uintptr(syscall.CLONE_NEWNET), uintptr(syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER)
	for name, c := range map[string]struct {
		answers []error
		tried   []uintptr
	}{
		"a network":                   {[]error{nil}, []uintptr{net}},
		"a user and a network":        {[]error{syscall.EPERM, nil}, []uintptr{net, both}},
		"neither, by a unit's filter": {[]error{syscall.EPERM, syscall.EPERM, nil}, []uintptr{net, both, 0}},
		"neither, by a limit":         {[]error{syscall.EPERM, syscall.ENOSPC, nil}, []uintptr{net, both, 0}},
		"no memory":                   {[]error{syscall.ENOMEM}, []uintptr{net}},
	} {
		var tried []uintptr
		cmd, err := StartIsolated(func(cmd *exec.Cmd) error {
			tried = append(tried, cmd.SysProcAttr.Cloneflags)
			return c.answers[len(tried)-1]
		}, func() *exec.Cmd { return &exec.Cmd{SysProcAttr: new(syscall.SysProcAttr)} })
		if want := c.answers[len(c.answers)-1]; !errors.Is(err, want) || !slices.Equal(tried, c.tried) || cmd == nil {
			t.Errorf("%s: tried %x, %v", name, tried, err)
		}
	}
}

// On the kernel of this machine, if it gives a namespace.
func TestAnIsolatedProcessSeesNoNetwork(t *testing.T) {
	cmd, err := StartIsolated((*exec.Cmd).Start, func() *exec.Cmd {
		cmd := exec.Command("/bin/sh", "-c", "[ $(grep -c : /proc/self/net/dev) = 1 ]")
		cmd.SysProcAttr = new(syscall.SysProcAttr)
		return cmd
	})
	if err != nil {
		t.Fatal(err)
	}
	if cmd.SysProcAttr.Cloneflags == 0 {
		_ = cmd.Wait()
		t.Skip("this kernel gives no namespace")
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("there is more than an idle loopback: %v", err)
	}
}
