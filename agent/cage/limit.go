package cage

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The largest number of open descriptors: those handed over, netpoll's two, and
// for the uplink its database and a connection. Chosen by hand, with room.
const (
	senseFiles  = 64
	uplinkFiles = 256
)

// setLimits sets the restrictions beside the filters: resource limits, no core
// dumps, no capabilities, no new privileges.
func setLimits(p plan) error {
	limits := []struct {
		what int
		name string
		max  uint64
		to   bool
	}{
		{unix.RLIMIT_FSIZE, "file size", 0, p.grants&(database|keeping) == 0},
		{unix.RLIMIT_NOFILE, "open files", maxOpenFiles(p), p.grants&keeping == 0},
		{unix.RLIMIT_DATA, "data", decoderMemory, p.grants&decoding != 0},
	}
	if err := limitCore(p); err != nil {
		return fmt.Errorf("limit the core (is it caged already?): %w", err)
	}
	for _, l := range limits {
		if !l.to {
			continue
		}
		if err := setLimit(l.what, l.max); err != nil {
			return fmt.Errorf("limit the %s (is it caged already?): %w", l.name, err)
		}
	}
	if p.memory > 0 {
		if err := limitMemory(p.memory); err != nil {
			return fmt.Errorf("limit the memory: %w", err)
		}
	}
	if err := dropCapabilities(p.grants&keeping != 0); err != nil {
		if errors.Is(err, syscall.ENOTSUP) {
			return errCgo
		}
		return fmt.Errorf("drop capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_DUMPABLE): %w", err)
	}
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno == syscall.ENOTSUP {
		return errCgo
	} else if errno != 0 {
		return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS) on all threads: %w", errno)
	}
	return nil
}

// errCgo reports that Go cannot change all threads of a program that is linked with C.
var errCgo = errors.New("no walls are possible in a program built with cgo: build it with CGO_ENABLED=0, as make build does")

// decoderMemory bounds the writable memory of a decoder in bytes. A stream of
// 4096×2304 takes about 300 MB; chosen by hand.
const decoderMemory = 512 << 20

// limitCore limits the size of a core: to 0, or to 1 byte in the supervisor and in a
// decoder. A program that is started becomes dumpable again; only a limit of 1 also
// keeps its core from a handler (core(5), "Piping core dumps to a program"). Below a
// limit of 0 that is not possible.
func limitCore(p plan) error {
	now, err := hardLimit(unix.RLIMIT_CORE)
	if err != nil || p.grants&(decoding|keeping) == 0 {
		return errors.Join(err, setLimit(unix.RLIMIT_CORE, 0))
	}
	return setLimit(unix.RLIMIT_CORE, min(now, 1))
}

// maxOpenFiles returns the lower one of the role's limit of descriptors and the
// present one.
func maxOpenFiles(p plan) uint64 {
	want := uint64(senseFiles)
	if p.grants&database != 0 {
		want = uplinkFiles
	}
	if now, err := hardLimit(unix.RLIMIT_NOFILE); err == nil {
		want = min(want, now)
	}
	return want
}

// setLimit sets soft and hard limit by prlimit64 on every machine: the older
// system calls are not in the table.
func setLimit(what int, max uint64) error {
	return unix.Prlimit(0, what, &unix.Rlimit{Cur: max, Max: max}, nil)
}

// hardLimit returns the hard limit, by prlimit64.
func hardLimit(what int) (uint64, error) {
	var now unix.Rlimit
	err := unix.Prlimit(0, what, nil, &now)
	return now.Max, err
}

// limitMemory limits the address space to its present size and so many bytes
// more.
func limitMemory(more uint64) error {
	// proc_pid_statm(5): the first field is the size in pages.
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	size, _, _ := bytes.Cut(statm, []byte(" "))
	pages, err := strconv.ParseUint(string(size), 10, 64)
	if err != nil {
		return fmt.Errorf("/proc/self/statm: %w", err)
	}
	max := pages*uint64(os.Getpagesize()) + more
	return setLimit(unix.RLIMIT_AS, max)
}

// dropCapabilities empties the three sets on every thread, so that root inside
// the cage is an ordinary user who owns root's files. A process without
// capabilities, as under systemd, makes no such call. The supervisor loses only
// the right to set the clock, and with no_new_privs no program that it starts
// gets it back.
func dropCapabilities(clockOnly bool) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had, data [2]unix.CapUserData
	err := unix.Capget(&header, &had[0])
	if clockOnly {
		data = had
		const clock = uint32(1) << unix.CAP_SYS_TIME
		data[0].Effective &^= clock
		data[0].Permitted &^= clock
		data[0].Inheritable &^= clock
	}
	if err == nil && data == had {
		return nil
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// measureCapabilities reports whether a permitted capability is left.
func measureCapabilities(p plan) Wall {
	w := Wall{Name: "hold a capability", Reason: reasonFor(p.grants & keeping)}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		w.How = "cannot ask: capget: " + err.Error()
		return w
	}
	w.Holds = data == [2]unix.CapUserData{}
	w.How = fmt.Sprintf("capget: permitted %#x", uint64(data[1].Permitted)<<32|uint64(data[0].Permitted))
	return w
}

// measureDescriptors looks for a descriptor that could carry pixels to a disk:
// a regular file or block device open for writing. Sockets and pipes are
// counted in How: they are the outputs that the role was given.
func measureDescriptors(p plan) Wall {
	w := Wall{Name: "write to a file that was left open", Reason: reasonFor(p.grants & (database | keeping))}
	open, err := listDescriptors(p)
	if err != nil {
		w.How = "cannot list descriptors: " + err.Error()
		return w
	}
	var found string
	kinds := map[uint32]int{}
	for _, fd := range open {
		var st unix.Stat_t
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil || unix.Fstat(fd, &st) != nil || st.Nlink == 0 {
			continue // gone, or without a name: our own spare one
		}
		kind := st.Mode & unix.S_IFMT
		kinds[kind]++
		if (kind == unix.S_IFREG || kind == unix.S_IFBLK) && flags&unix.O_ACCMODE != unix.O_RDONLY {
			found += fmt.Sprintf(", descriptor %d can be written", fd)
		}
	}
	w.Holds = found == ""
	w.How = fmt.Sprintf("%d pipes, %d sockets, %d devices, %d files open%s",
		kinds[unix.S_IFIFO], kinds[unix.S_IFSOCK], kinds[unix.S_IFCHR], kinds[unix.S_IFREG], found)
	return w
}

// listDescriptors returns the numbers that may be open descriptors.
func listDescriptors(p plan) (all []int, err error) {
	if p.grants&decoding != 0 { // which cannot read /proc, and has few
		for fd := range senseFiles {
			all = append(all, fd)
		}
		return all, nil
	}
	open, err := os.ReadDir("/proc/self/fd")
	for _, e := range open {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, fd)
		}
	}
	return all, err
}

// measureInterfaces reports whether the process is in a network: one whose only
// interface is a loopback that is down is none. This wall stands behind the
// filter, so that sense may do without it where the kernel gives no namespace.
func measureInterfaces(p plan) Wall {
	w := Wall{Name: "be in a network", Reason: reasonFor(p.grants & keeping)}
	if w.Reason == "" {
		w.Reason = "seccomp refuses every socket"
	}
	all, err := net.Interfaces()
	if err != nil {
		w.How = "cannot list interfaces: " + err.Error()
		return w
	}
	up := 0
	for _, i := range all {
		if i.Flags&net.FlagUp != 0 {
			up++
		}
	}
	w.Holds = up == 0
	w.How = fmt.Sprintf("%d interfaces, %d of them up", len(all), up)
	return w
}
