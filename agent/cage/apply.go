package cage

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// applyRole puts up the walls in the order in which each still allows the next:
// limits, Landlock, seccomp. Then it runs the attempts.
func applyRole(r Role) (Report, error) {
	p := r.makePlan()
	report := Report{Role: r.roleName(), Machine: runtime.GOARCH, Kernel: kernelRelease()}
	fail := func(err error) (Report, error) {
		return report, fmt.Errorf("cage for %s: %w", r.roleName(), err)
	}
	m, err := hostMachine()
	if err != nil {
		return fail(err)
	}
	if err := p.checkPaths(); err != nil {
		return fail(err)
	}
	_, _ = time.Now().Zone() // the local time zone is a file, read at first use

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	spare, err := unix.MemfdCreate("growth", unix.MFD_CLOEXEC)
	if err != nil {
		spare = -1 // the limit is reported as a number then
	} else {
		defer unix.Close(spare)
	}
	w := startOtherThread()
	defer w.stopThread()

	swapped := measureSwap(p) // before the right to lock is gone
	if err := setLimits(p); err != nil {
		return fail(err)
	}
	report.Walls = []Wall{measureDescriptors(p), measureCapabilities(p), measureInterfaces(p), swapped} // before the filter refuses these calls
	if report.Landlock, err = restrictLandlock(p); err != nil {
		return fail(err)
	}
	report.Walls = append(report.Walls, measureLandlock(p, report.Landlock))
	loaded, err := loadFilter(assembleFilter(m, p.grants, uint32(unix.Getpid())))
	if err != nil {
		return fail(err)
	}
	report.Walls = append(report.Walls, measureFilter(loaded), w.measureThread(loaded))
	report.Walls = append(report.Walls, runAttempts(p, spare)...)
	return report, nil
}

// checkPaths finds paths that do not exist before the first wall is put up.
func (p plan) checkPaths() error {
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

// loadFilter loads the seccomp filter on all threads
// (SECCOMP_FILTER_FLAG_TSYNC). A kernel without seccomp filters is not an
// error: loaded is false.
func loadFilter(filter []unix.SockFilter) (loaded bool, err error) {
	if !supportsFilters() {
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

// supportsFilters asks the kernel with a null pointer in place of a filter: one
// that supports filters answers EFAULT (seccomp(2), "Checking for support").
func supportsFilters() bool {
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, 0)
	return errno == unix.EFAULT
}

// otherThread is a thread that was started before the filter was loaded.
// Afterwards it tries a forbidden call, which a filter on the loading thread
// alone would not stop.
type otherThread struct {
	ask    chan bool
	answer chan unix.Errno
}

// startOtherThread starts the thread and waits until it runs.
func startOtherThread() otherThread {
	w := otherThread{make(chan bool), make(chan unix.Errno, 1)}
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		close(ready)
		if <-w.ask {
			w.answer <- tryUnshare()
		}
	}()
	<-ready
	return w
}

// measureThread makes the thread try unshare.
func (w otherThread) measureThread(loaded bool) Wall {
	if !loaded {
		return Wall{Name: "hold every thread", How: "no filter to hold them"}
	}
	w.ask <- true
	return wallFromErrno("hold every thread", "unshare(0) on a thread from before the filter", <-w.answer)
}

// stopThread ends the thread.
func (w otherThread) stopThread() { close(w.ask) }

// tryUnshare calls unshare with no flags, which has no effect; no role may call
// it.
func tryUnshare() unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_UNSHARE, 0, 0, 0)
	return errno
}

// kernelRelease returns the release of the kernel from uname.
func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
