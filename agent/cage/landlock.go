package cage

import (
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// The rights that Landlock grants to a path that a decoder reads, and to the state
// directory. Execution is in neither: only a decoder's program and its loader
// have it.
const (
	mayRead  = ll.AccessFSReadFile | ll.AccessFSReadDir
	mayWrite = mayRead | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSMakeReg | ll.AccessFSRemoveFile
	// The rights that apply to a file.
	mayFile = ll.AccessFSReadFile | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSExecute
)

// restrictLandlock applies Landlock to all threads, with all rights that this
// kernel's ABI can restrict, and returns that ABI; 0 is a kernel without
// Landlock. The supervisor is left out. The library's best-effort mode is not
// used: it does not report when it restricts no right.
func restrictLandlock(p plan) (abi int, err error) {
	if abi = landlockABI(); abi == 0 {
		return 0, nil
	}
	if p.grants&keeping != 0 {
		return abi, nil // the programs it starts need their files
	}
	known := []landlock.Config{
		landlock.V1, landlock.V2, landlock.V3, landlock.V4, landlock.V5, landlock.V6,
		landlock.V7, landlock.V8, landlock.V9, landlock.V10, landlock.V11,
	}
	config := known[min(abi, len(known))-1]
	rules, err := p.landlockRules(config)
	if err != nil {
		return abi, err
	}
	if err := config.Restrict(rules...); err != nil {
		return abi, fmt.Errorf("landlock, ABI %d: %w", abi, err)
	}
	return abi, nil
}

// landlockABI returns the ABI of this kernel's Landlock; 0: none.
func landlockABI() int {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return max(abi, 0)
}

// landlockRules returns the exceptions of a plan: the state directory of the uplink,
// the program and the libraries of a decoder, and none for sense. No role may connect
// to a TCP port.
func (p plan) landlockRules(config landlock.Config) (rules []landlock.Rule, err error) {
	allow := func(access landlock.AccessFSSet, path string) error {
		st, err := os.Stat(path)
		if err != nil {
			return err
		}
		if !st.IsDir() {
			access &= mayFile
		}
		rules = append(rules, landlock.PathAccess(access&config.HandledAccessFS, path))
		return nil
	}
	if p.dir != "" {
		if err := allow(mayWrite, p.dir); err != nil {
			return nil, fmt.Errorf("state directory: %w", err)
		}
	}
	for _, path := range p.run {
		if err := allow(ll.AccessFSReadFile|ll.AccessFSExecute, path); err != nil {
			return nil, fmt.Errorf("to be run: %w", err)
		}
	}
	for _, path := range p.read {
		if err := allow(mayRead, path); err != nil {
			return nil, fmt.Errorf("to be read: %w", err)
		}
	}
	return rules, nil
}

// measureLandlock tries to open the root directory before seccomp refuses it.
func measureLandlock(p plan, abi int) Wall {
	const name = "pass Landlock"
	switch {
	case p.grants&keeping != 0:
		return Wall{Name: name, How: fmt.Sprintf("ABI %d, not used", abi), Reason: reasonFor(keeping)}
	case abi == 0 && p.grants&state == 0:
		return Wall{Name: name, How: "this kernel has none", Reason: "seccomp refuses all that it would"}
	case abi == 0:
		return Wall{Name: name, How: "this kernel has none"}
	}
	return wallFromErrno(name, fmt.Sprintf("ABI %d; open(\"/\") before the filter", abi), tryOpenRoot())
}

// tryOpenRoot opens the root directory for reading.
func tryOpenRoot() unix.Errno {
	return closeAgain(unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
}
