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

// Try measures from inside what holds this process, by trying every call the
// role must not be able to make. It is harmless where nothing holds: calls are
// made with arguments that do nothing, and what they opened or made is closed
// and removed. Call it in a caged process at any time, or in a free one to see
// that the attempts themselves work.
//
// What only Apply can measure, since the filter covers it, is left out here:
// capabilities, open descriptors, Landlock by itself, and the other threads.
func Try(r Role) Report {
	p := r.plan()
	spare, err := unix.MemfdCreate("growth", unix.MFD_CLOEXEC)
	if err == nil {
		defer unix.Close(spare)
	}
	report := Report{Role: r.name(), Machine: runtime.GOARCH, Kernel: kernel()}
	report.Walls = append([]Wall{filtered(true)}, try(p, spare)...)
	return report
}

func try(p plan, spare int) []Wall {
	t := trial{plan: p, spare: spare}
	walls := []Wall{
		t.dumps(), t.privileges(), t.growth(),
	}
	for _, a := range slices.Concat(filing(), talking(), spawning(), prying(), asking()) {
		w := judge(a.name, a.how, a.try(t))
		w.May = reason(a.may & p.grants)
		walls = append(walls, w)
	}
	return walls
}

// trial is what an attempt may use.
type trial struct {
	plan
	spare int // an anonymous file from before the filter, or -1
}

// attempt is one forbidden thing and the way to try it. It returns 0 when the
// kernel did as asked, after undoing it.
type attempt struct {
	name string
	may  grant // roles with one of these are not held
	how  string
	try  func(trial) unix.Errno
}

// undo closes what an attempt opened.
func undo(fd int, err error) unix.Errno {
	if err != nil {
		return errno(err)
	}
	return errno(unix.Close(fd))
}

func errno(err error) unix.Errno {
	if e, ok := err.(unix.Errno); ok {
		return e
	}
	return 0
}

func raw(nr uintptr, args ...uintptr) unix.Errno {
	var a [6]uintptr
	copy(a[:], args)
	_, _, e := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	return e
}

// filtered asks the kernel whether this thread runs under a filter.
func filtered(loaded bool) Wall {
	w := Wall{Name: "run without a filter", How: "prctl(PR_GET_SECCOMP)"}
	mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	if err != nil || !loaded {
		w.How = "this kernel takes no seccomp filter"
		return w
	}
	w.How += fmt.Sprintf(" = %d", mode)
	w.Holds = mode == 2 // SECCOMP_MODE_FILTER
	return w
}

// dumps is measured by asking: the core of a process that is not dumpable is
// written neither to a file nor to a program.
func (t trial) dumps() Wall {
	w := Wall{Name: "leave a core"}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	core, err2 := askLimit(unix.RLIMIT_CORE)
	if err := errors.Join(err, err2); err != nil {
		w.How = "cannot ask: " + err.Error()
		return w
	}
	w.How = fmt.Sprintf("dumpable %d, RLIMIT_CORE %d", dumpable, core)
	w.Holds = dumpable == 0 && core == 0
	return w
}

func (t trial) privileges() Wall {
	on, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	w := Wall{Name: "gain privileges by starting a program", How: fmt.Sprintf("no_new_privs %d", on)}
	w.Holds = err == nil && on == 1
	return w
}

// growth writes a byte to an anonymous file from before the filter; a later
// one, if the filter would let it be made, says the same.
func (t trial) growth() Wall {
	const name = "make a file longer"
	may := reason(t.grants & (database | keeping))
	if t.spare < 0 {
		size, err := askLimit(unix.RLIMIT_FSIZE)
		return Wall{Name: name, Holds: err == nil && size == 0, How: fmt.Sprintf("RLIMIT_FSIZE %d", size), May: may}
	}
	_, err := unix.Write(t.spare, []byte{0})
	w := judge(name, "write to a file of 0 bytes", errno(err))
	w.May = may
	return w
}

// outside is a new name in a directory that is not the role's own.
func (t trial) outside() string {
	dir := os.TempDir()
	if t.dir != "" {
		own, err := filepath.Abs(t.dir)
		if err == nil && (own == dir || strings.HasPrefix(dir, own+"/")) {
			dir = filepath.Dir(own)
		}
	}
	return filepath.Join(dir, fmt.Sprintf(".kerb-cage-%d", unix.Getpid()))
}

// stranger is a process id that no process has: pid_max is at most 1<<22.
const stranger = 1 << 30

// page is one page of private memory for an attempt. Without one there is no
// answer: EIO is no refusal.
func page(try func([]byte) unix.Errno) unix.Errno {
	m, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return unix.EIO
	}
	defer unix.Munmap(m)
	return try(m)
}

func address(m []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(m))) }
