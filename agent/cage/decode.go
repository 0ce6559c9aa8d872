package cage

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// decodeRole is the role of a decoder in C, such as ffmpeg, for the stream of a camera: it reads and writes the pipes that it was started with.
type decodeRole struct{ run, read []string }

func (r decodeRole) roleName() string { return "decode" }
func (r decodeRole) makePlan() plan {
	return plan{grants: living | decoding, run: r.run, read: r.read}
}

// ExecDecoder puts the walls around this process and becomes the program words[0], an
// absolute path, with these words, no environment and the standard descriptors only.
// It returns only with an error; the process may be caged in part then, and should end.
//
// The program can read itself, its loader and the libraries that the loader lists
// (Landlock), and no other file. It makes no socket, opens nothing for writing, starts
// neither a program nor a process, and signals none. Where this process is root, the
// program gets the user id of the account nobody. Its core is not dumped, and its memory is limited.
func ExecDecoder(words []string) error {
	run, read, err := listLibraries(words[0])
	if err != nil {
		return fmt.Errorf("start %s: %w", words[0], err)
	}
	if _, err := os.Stat(corePattern); err == nil {
		read = append(read, corePattern) // for measureCoreDump
	}
	p := decodeRole{run, read}.makePlan()
	m, err := hostMachine()
	if err != nil {
		return err
	}
	program, err := unix.Open(words[0], unix.O_PATH|unix.O_CLOEXEC, 0) // before this process is nobody, who may not see its folder
	if err != nil {
		return fmt.Errorf("start %s: %w", words[0], err)
	}
	if _, err := restrictLandlock(p); err != nil { // before this process is nobody, too
		return fmt.Errorf("cage for %s: %w", words[0], err)
	}
	if err := errors.Join(unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC), becomeNobody(), setLimits(p)); err != nil {
		return fmt.Errorf("cage for %s: %w", words[0], err)
	}
	// The thread that calls execve goes on as the program, with its own filter and its
	// own parent death signal; the others end. Two threads block in system calls
	// without giving up their processors, and a collection of garbage would wait for
	// both for ever.
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(max(4, runtime.NumCPU()))
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("cage for %s: prctl(PR_SET_PDEATHSIG): %w", words[0], err)
	}
	listener, err := loadAskingFilter(assembleFilter(m, p.grants, uint32(unix.Getpid())))
	if err != nil {
		return fmt.Errorf("cage for %s: %w", words[0], err)
	}
	answerExec(listener)
	err = syscall.Exec(fmt.Sprintf("/proc/self/fd/%d", program), words, nil)
	return fmt.Errorf("start %s: %w", words[0], err)
}

// nobodyID is the user and the group nobody of Debian, which owns no file.
const nobodyID = 65534

// becomeNobody gives up root, so that files that only root may read are shut also
// without Landlock. In a user namespace without that user it stays, without
// capabilities.
func becomeNobody() error {
	if unix.Geteuid() != 0 {
		return nil
	}
	if err := syscall.Setgroups(nil); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("setgroups: %w", err)
	}
	for _, set := range []func() error{
		func() error { return syscall.Setresgid(nobodyID, nobodyID, nobodyID) },
		func() error { return syscall.Setresuid(nobodyID, nobodyID, nobodyID) },
	} {
		if err := set(); err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("become nobody: %w", err)
		}
	}
	return nil
}

// loadAskingFilter loads a seccomp filter on this thread and returns its listener, at
// which calls with the verdict SECCOMP_RET_USER_NOTIF wait (seccomp_unotify(2), Linux
// 5.0). The kernel closes the listener when a program is started, and refuses those
// calls with ENOSYS from then on.
func loadAskingFilter(filter []unix.SockFilter) (listener int, err error) {
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return -1, fmt.Errorf("load the seccomp filter: %w", errno)
	}
	return int(fd), nil
}

// The records of seccomp_unotify(2) (include/uapi/linux/seccomp.h).
type (
	execRequest struct {
		id         uint64
		pid, flags uint32
		data       [64]byte // struct seccomp_data
	}
	execAnswer struct {
		id           uint64
		value        int64
		error, flags uint32
	}
)

// answerExec starts a thread, which has no filter, that lets the calls at the listener
// go on. It ends when execve succeeds, as all threads but the calling one do; a call
// that a signal interrupted asks again.
func answerExec(listener int) {
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		request, answer := new(execRequest), new(execAnswer)
		close(ready)
		for {
			*request = execRequest{} // the kernel wants zeros
			if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(request))); errno != 0 {
				continue
			}
			*answer = execAnswer{id: request.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
			_, _, _ = unix.RawSyscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(answer)))
		}
	}()
	<-ready
}

// MeasureDecoder measures the walls of a decoder from inside: this process is the
// program that ExecDecoder has started.
func MeasureDecoder() Report {
	p := decodeRole{}.makePlan()
	w := startOtherThread()
	defer w.stopThread()
	report := Report{Role: decodeRole{}.roleName(), Machine: runtime.GOARCH, Kernel: kernelRelease(), Landlock: landlockABI()}
	report.Walls = []Wall{
		measureDescriptors(p), measureCapabilities(p), measureInterfaces(p), measureSwap(p), measureLandlock(p, report.Landlock),
		measureFilter(true), w.measureThread(true),
	}
	report.Walls = append(report.Walls, runAttempts(p, -1)...)
	return report
}
