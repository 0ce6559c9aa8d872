package cage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MeasureWalls measures the walls of this process from inside, by trying every call that
// the role must not be able to make. It has no effect where no wall holds: the
// calls have arguments without effect, and opened or created files are closed
// and removed. Call it in a caged process at any time, or in a free one to see
// that the attempts themselves work.
//
// It leaves out the walls that only Apply can measure, because the filter
// covers them: capabilities, open descriptors, Landlock by itself, and the
// other threads.
func MeasureWalls(r Role) Report {
	p := r.makePlan()
	spare, err := unix.MemfdCreate("growth", unix.MFD_CLOEXEC)
	if err == nil {
		defer unix.Close(spare)
	}
	report := Report{Role: r.roleName(), Machine: runtime.GOARCH, Kernel: kernelRelease()}
	report.Walls = append([]Wall{measureFilter(true)}, runAttempts(p, spare)...)
	return report
}

// runAttempts makes all attempts and returns their walls.
func runAttempts(p plan, spare int) []Wall {
	t := environment{plan: p, spare: spare}
	walls := []Wall{
		t.measureCoreDump(), t.measurePrivileges(), t.measureGrowth(),
	}
	for _, a := range slices.Concat(fileAttempts(), networkAttempts(), executionAttempts(), processAttempts(), kernelAttempts()) {
		w := wallFromErrno(a.name, a.how, a.run(t))
		w.Reason = reasonFor(a.may & p.grants)
		walls = append(walls, w)
	}
	return walls
}

// environment is the plan and the descriptors that attempts may use.
type environment struct {
	plan
	spare int // an anonymous file from before the filter, or -1
}

// attempt is one forbidden call. run returns 0 when the kernel made the call,
// after undoing its effect.
type attempt struct {
	name string
	may  grant // roles with one of these are not held
	how  string
	run  func(environment) unix.Errno
}

// closeAgain closes the descriptor that an attempt opened and returns its
// errno.
func closeAgain(fd int, err error) unix.Errno {
	if err != nil {
		return toErrno(err)
	}
	return toErrno(unix.Close(fd))
}

// toErrno returns the errno in err; 0 for nil and for any other error.
func toErrno(err error) unix.Errno {
	if e, ok := err.(unix.Errno); ok {
		return e
	}
	return 0
}

// rawSyscall makes a system call with up to six arguments and returns its
// errno.
func rawSyscall(nr uintptr, args ...uintptr) unix.Errno {
	var a [6]uintptr
	copy(a[:], args)
	_, _, e := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	return e
}

// measureFilter asks the kernel whether this thread runs under a filter.
func measureFilter(loaded bool) Wall {
	w := Wall{Name: "run without a filter", How: "prctl(PR_GET_SECCOMP)"}
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	if err != nil || !loaded {
		w.How = "this kernel takes no seccomp filter"
		return w
	}
	w.How += fmt.Sprintf(" = %d", mode)
	w.Holds = mode == unix.SECCOMP_MODE_FILTER
	return w
}

// measureCoreDump asks for the dumpable flag and RLIMIT_CORE. A process that is not
// dumpable leaves no core, neither in a file nor in a core handler; a limit of 1 keeps
// it from both, too, and a limit of 0 from a file (core(5)).
func (t environment) measureCoreDump() Wall {
	w := Wall{Name: "leave a core"}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	core, err2 := hardLimit(unix.RLIMIT_CORE)
	if err := errors.Join(err, err2); err != nil {
		w.How = "cannot ask: " + err.Error()
		return w
	}
	w.How = fmt.Sprintf("dumpable %d, RLIMIT_CORE %d", dumpable, core)
	w.Holds = core == 1 || core == 0 && (dumpable == 0 || t.grants&decoding != 0 && !pipesCores())
	return w
}

// corePattern says where the kernel writes cores (core(5)).
const corePattern = "/proc/sys/kernel/core_pattern"

// pipesCores reports whether the kernel gives cores to a handler, or may do so.
func pipesCores() bool {
	pattern, err := os.ReadFile(corePattern)
	return err != nil || strings.HasPrefix(string(pattern), "|")
}

// measurePrivileges asks for no_new_privs.
func (t environment) measurePrivileges() Wall {
	on, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	w := Wall{Name: "gain privileges by starting a program", How: fmt.Sprintf("no_new_privs %d", on)}
	w.Holds = err == nil && on == 1
	return w
}

// measureGrowth writes a byte to an anonymous file from before the filter.
// Without one it reports RLIMIT_FSIZE.
func (t environment) measureGrowth() Wall {
	const name = "make a file longer"
	may := reasonFor(t.grants & (database | keeping))
	if t.spare < 0 {
		size, err := hardLimit(unix.RLIMIT_FSIZE)
		return Wall{Name: name, Holds: err == nil && size == 0, How: fmt.Sprintf("RLIMIT_FSIZE %d", size), Reason: may}
	}
	_, err := unix.Write(t.spare, []byte{0})
	w := wallFromErrno(name, "write to a file of 0 bytes", toErrno(err))
	w.Reason = may
	return w
}

// outsidePath returns a new path in a directory that is not the role's own.
func (t environment) outsidePath() string {
	dir := os.TempDir()
	if t.dir != "" {
		own, err := filepath.Abs(t.dir)
		if err == nil && (own == dir || strings.HasPrefix(dir, own+"/")) {
			dir = filepath.Dir(own)
		}
	}
	return filepath.Join(dir, fmt.Sprintf(".kerb-cage-%d", unix.Getpid()))
}

// unusedPID is a process id that no process has: pid_max is at most 1<<22
// (proc(5)).
const unusedPID = 1 << 30

// unknownBPF is a number that no command of bpf has.
const unknownBPF = 1 << 30

// withPage runs an attempt on one page of private memory. Without memory it
// returns EIO, which is not a refusal.
func withPage(try func([]byte) unix.Errno) unix.Errno {
	m, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return unix.EIO
	}
	defer unix.Munmap(m)
	return try(m)
}

// sliceAddress returns the address of a slice's first byte.
func sliceAddress(m []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(m))) }
