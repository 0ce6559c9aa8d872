package cage

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// fileAttempts returns the attempts on files.
func fileAttempts() []attempt {
	return []attempt{
		{"read a file it was not given", keeping, `open("/", O_RDONLY)`, func(environment) unix.Errno {
			return tryOpenRoot()
		}},
		{"open a file for writing", keeping, `open("/dev/null", O_RDWR)`, func(environment) unix.Errno {
			return closeAgain(unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0))
		}},
		{"create a file", keeping, "open(O_CREAT|O_EXCL) of a new name", func(t environment) unix.Errno {
			path := t.outsidePath()
			fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
			if err == nil {
				defer unix.Unlink(path)
			}
			return closeAgain(fd, err)
		}},
		{"open a file by openat2", keeping, `openat2("/", O_RDONLY)`, func(environment) unix.Errno {
			return closeAgain(unix.Openat2(unix.AT_FDCWD, "/", &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC}))
		}},
		{"make a file in memory", keeping, "memfd_create", func(environment) unix.Errno {
			return closeAgain(unix.MemfdCreate("try", unix.MFD_CLOEXEC))
		}},
		{"control a device", keeping, "ioctl(-1, TIOCSTI)", func(environment) unix.Errno {
			return rawSyscall(unix.SYS_IOCTL, ^uintptr(0), unix.TIOCSTI)
		}},
	}
}

// networkAttempts returns the attempts on the network.
func networkAttempts() []attempt {
	open := func(family, kind, protocol int) func(environment) unix.Errno {
		return func(environment) unix.Errno {
			return closeAgain(unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol))
		}
	}
	return []attempt{
		{"open a TCP socket", keeping, "socket(AF_INET, SOCK_STREAM)", open(unix.AF_INET, unix.SOCK_STREAM, 0)},
		{"open a TCP socket over IPv6", keeping, "socket(AF_INET6, SOCK_STREAM)", open(unix.AF_INET6, unix.SOCK_STREAM, 0)},
		{"open a UDP socket", keeping, "socket(AF_INET, SOCK_DGRAM)", open(unix.AF_INET, unix.SOCK_DGRAM, 0)},
		{"open a Multipath TCP socket", keeping, "socket(AF_INET, SOCK_STREAM, 262)", open(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)},
		{"open a Unix socket", keeping, "socket(AF_UNIX, SOCK_STREAM)", open(unix.AF_UNIX, unix.SOCK_STREAM, 0)},
		{"open a netlink socket", keeping, "socket(AF_NETLINK, SOCK_RAW)", open(unix.AF_NETLINK, unix.SOCK_RAW, 0)},
		{"connect a socket", keeping, "connect(-1)", func(environment) unix.Errno {
			return toErrno(unix.Connect(-1, loopbackAddress(1)))
		}},
		{"listen", keeping, "bind to 127.0.0.1:0, listen", withSocket(func(fd int) unix.Errno {
			if err := unix.Bind(fd, loopbackAddress(0)); err != nil {
				return toErrno(err)
			}
			return toErrno(unix.Listen(fd, 1))
		})},
		{"accept", keeping, "accept4(-1)", func(environment) unix.Errno {
			_, _, err := unix.Accept4(-1, unix.SOCK_CLOEXEC)
			return toErrno(err)
		}},
		{"send as it connects (fast open)", keeping, "sendto(MSG_FASTOPEN)", withSocket(func(fd int) unix.Errno {
			return toErrno(unix.Sendto(fd, []byte{0}, unix.MSG_FASTOPEN|unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, loopbackAddress(1)))
		})},
		{"connect as it sends (fast open)", keeping, "setsockopt(TCP_FASTOPEN_CONNECT)", withSocket(func(fd int) unix.Errno {
			return toErrno(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1))
		})},
		{"hand over a descriptor", keeping, "sendmsg(-1)", func(environment) unix.Errno {
			return toErrno(unix.Sendmsg(-1, nil, nil, nil, 0))
		}},
	}
}

// loopbackAddress returns 127.0.0.1 with a port.
func loopbackAddress(port int) unix.Sockaddr {
	return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
}

// withSocket returns an attempt on a TCP socket, or on descriptor -1 where no
// socket can be opened: the filter answers before the kernel looks at the
// descriptor.
func withSocket(try func(fd int) unix.Errno) func(environment) unix.Errno {
	return func(environment) unix.Errno {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return try(-1)
		}
		defer unix.Close(fd)
		return try(fd)
	}
}

// executionAttempts returns the attempts to run other code.
func executionAttempts() []attempt {
	return []attempt{
		{"start a program", keeping, `execve("")`, func(environment) unix.Errno {
			var path [1]byte
			return rawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(&path[0])))
		}},
		{"start a program by descriptor", keeping, "execveat(-1)", func(environment) unix.Errno {
			var path [1]byte
			return rawSyscall(unix.SYS_EXECVEAT, ^uintptr(0), uintptr(unsafe.Pointer(&path[0])), 0, 0, 0)
		}},
		{"fork", keeping, "clone(SIGCHLD)", func(environment) unix.Errno { return tryFork() }},
		{"fork by clone3", keeping, "clone3", func(environment) unix.Errno {
			return rawSyscall(unix.SYS_CLONE3)
		}},
		{"run memory it wrote", keeping, "mmap(PROT_EXEC)", func(environment) unix.Errno {
			m, err := unix.Mmap(-1, 0, 1, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				return toErrno(err)
			}
			return toErrno(unix.Munmap(m))
		}},
		{"make memory executable", keeping, "mprotect(PROT_EXEC)", func(environment) unix.Errno {
			return withPage(func(m []byte) unix.Errno {
				return toErrno(unix.Mprotect(m, unix.PROT_READ|unix.PROT_EXEC))
			})
		}},
	}
}

// tryFork makes a copy of the process that ends at once. The copy is one thread
// of a program that has many: between clone and exit_group it may neither
// allocate nor be scheduled, hence raw calls directly after one another.
//
// tryFork forks a copy of the process that ends at once. The copy is one thread
// of a program that has many: between clone and exit_group it may neither
// allocate nor be scheduled, hence raw calls and no others between them.
//
//go:nosplit
func tryFork() unix.Errno {
	pid, _, e := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e != 0 {
		return e
	}
	if pid == 0 {
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	unix.Syscall6(unix.SYS_WAIT4, pid, 0, 0, 0, 0, 0)
	return 0
}

// processAttempts returns the attempts on other processes, and on the limits of
// this one.
func processAttempts() []attempt {
	return []attempt{
		{"trace a process", 0, "ptrace(PTRACE_SEIZE) of no process", func(environment) unix.Errno {
			return rawSyscall(unix.SYS_PTRACE, unix.PTRACE_SEIZE, unusedPID)
		}},
		{"read a process's memory", 0, "process_vm_readv of its own", func(environment) unix.Errno {
			return copyOwnMemory(unix.ProcessVMReadv)
		}},
		{"write a process's memory", 0, "process_vm_writev of its own", func(environment) unix.Errno {
			return copyOwnMemory(unix.ProcessVMWritev)
		}},
		{"take a process's descriptor", 0, "pidfd_getfd(-1)", func(environment) unix.Errno {
			return closeAgain(unix.PidfdGetfd(-1, 0, 0))
		}},
		{"signal a process", keeping, "kill of no process", func(environment) unix.Errno {
			return toErrno(unix.Kill(unusedPID, 0))
		}},
		{"raise a limit", keeping, "prlimit64(RLIMIT_NOFILE, an invalid value)", func(environment) unix.Errno {
			return toErrno(unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 2, Max: 1}, nil))
		}},
		{"become dumpable", keeping, "prctl(PR_SET_DUMPABLE, an invalid value)", func(environment) unix.Errno {
			return toErrno(unix.Prctl(unix.PR_SET_DUMPABLE, 2, 0, 0, 0))
		}},
		{"let memory be dumped", keeping, "madvise(MADV_DODUMP)", func(environment) unix.Errno {
			return withPage(func(m []byte) unix.Errno { return toErrno(unix.Madvise(m, unix.MADV_DODUMP)) })
		}},
	}
}

// copyOwnMemory copies 8 bytes within the process's own memory by
// process_vm_readv or process_vm_writev.
func copyOwnMemory(call func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error)) unix.Errno {
	return withPage(func(m []byte) unix.Errno {
		local := []unix.Iovec{{Base: &m[0]}}
		local[0].SetLen(8)
		_, err := call(unix.Getpid(), local, []unix.RemoteIovec{{Base: sliceAddress(m) + 8, Len: 8}}, 0)
		return toErrno(err)
	})
}

// kernelAttempts returns the attempts on the kernel's other interfaces.
func kernelAttempts() []attempt {
	return []attempt{
		{"use io_uring", 0, "io_uring_setup(1)", func(environment) unix.Errno {
			var params [120]byte // struct io_uring_params
			fd, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
			if e != 0 {
				return e
			}
			return toErrno(unix.Close(int(fd)))
		}},
		{"load a BPF program", 0, "bpf(an unknown command)", func(environment) unix.Errno {
			return rawSyscall(unix.SYS_BPF, unknownBPF, 0, 0)
		}},
		{"handle page faults", 0, "userfaultfd", func(environment) unix.Errno {
			fd, _, e := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
			if e != 0 {
				return e
			}
			return toErrno(unix.Close(int(fd)))
		}},
		{"watch performance events", 0, "perf_event_open(no event)", func(environment) unix.Errno {
			return rawSyscall(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0)
		}},
		{"mount", 0, "mount on no directory", func(environment) unix.Errno {
			return toErrno(unix.Mount("kerb", "/nonexistent/kerb", "tmpfs", 0, ""))
		}},
		{"enter a namespace", 0, "setns(-1)", func(environment) unix.Errno {
			return toErrno(unix.Setns(-1, 0))
		}},
		{"leave its namespaces", 0, "unshare(0)", func(environment) unix.Errno { return tryUnshare() }},
		{"keep a key in the kernel", 0, "keyctl(KEYCTL_GET_KEYRING_ID)", func(environment) unix.Errno {
			_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_PROCESS_KEYRING, false)
			return toErrno(err)
		}},
		{"share memory by key", keeping, "shmget(no such segment)", func(environment) unix.Errno {
			return rawSyscall(unix.SYS_SHMGET, unusedPID, 1, 0)
		}},
		{"set the clock", 0, "clock_settime(nowhere)", func(environment) unix.Errno {
			return rawSyscall(unix.SYS_CLOCK_SETTIME, unix.CLOCK_REALTIME, 0)
		}},
	}
}
