package cage

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// apply builds the walls in the order in which each still allows the next.
func apply(r Role) (Report, error) {
	p := r.plan()
	report := Report{Role: r.name(), Machine: runtime.GOARCH, Kernel: kernel()}
	fail := func(err error) (Report, error) {
		return report, fmt.Errorf("cage for %s: %w", r.name(), err)
	}
	m, err := host()
	if err != nil {
		return fail(err)
	}
	if err := p.check(); err != nil {
		return fail(err)
	}
	_, _ = time.Now().Zone() // the local time zone is a file, read at first use

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	spare, err := unix.MemfdCreate("growth", unix.MFD_CLOEXEC)
	if err != nil {
		spare = -1 // the limit is then reported as a number
	} else {
		defer unix.Close(spare)
	}
	w := newWitness()
	defer w.dismiss()

	if err := limit(p); err != nil {
		return fail(err)
	}
	report.Walls = []Wall{descriptors(p), capabilities(p), neighbours(p)} // before these calls are gone
	if report.Landlock, err = lock(p); err != nil {
		return fail(err)
	}
	report.Walls = append(report.Walls, landlocked(p, report.Landlock))
	loaded, err := install(assemble(m, p.grants, uint32(unix.Getpid())))
	if err != nil {
		return fail(err)
	}
	report.Walls = append(report.Walls, filtered(loaded), w.testify(loaded))
	report.Walls = append(report.Walls, try(p, spare)...)
	return report, nil
}

// check finds mistakes in a plan while nothing is done yet.
func (p plan) check() error {
	for _, path := range p.read {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("to be read: %w", err)
		}
	}
	if p.grants&state == 0 {
		return nil
	}
	st, err := os.Stat(p.dir)
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if !st.IsDir() {
		return fmt.Errorf("state directory: %s is none", p.dir)
	}
	return nil
}

// install hands the filter to the kernel for all threads. A kernel without
// seccomp filters is no error: loaded is false.
func install(filter []unix.SockFilter) (loaded bool, err error) {
	if !takesFilters() {
		return false, nil
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(filter)
	switch {
	case errno != 0:
		return false, fmt.Errorf("load the seccomp filter: %w", errno)
	case thread != 0:
		return false, fmt.Errorf("load the seccomp filter: thread %d has one of its own", thread)
	}
	return true, nil
}

// takesFilters asks with no filter at all: a kernel that would take one finds
// nothing at that address (seccomp(2), "Checking for support").
func takesFilters() bool {
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, 0)
	return errno == unix.EFAULT
}

// witness is a thread from before the filter, which afterwards tries a
// forbidden call: a filter on the loading thread alone would not stop it.
type witness struct {
	ask    chan bool
	answer chan unix.Errno
}

func newWitness() witness {
	w := witness{make(chan bool), make(chan unix.Errno, 1)}
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		close(ready)
		if <-w.ask {
			w.answer <- unshare()
		}
	}()
	<-ready
	return w
}

func (w witness) testify(loaded bool) Wall {
	if !loaded {
		return Wall{Name: "hold every thread", How: "no filter to hold them"}
	}
	w.ask <- true
	return judge("hold every thread", "unshare(0) on a thread from before the filter", <-w.answer)
}

func (w witness) dismiss() { close(w.ask) }

// unshare with no flags changes nothing; no role may call it.
func unshare() unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_UNSHARE, 0, 0, 0)
	return errno
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
