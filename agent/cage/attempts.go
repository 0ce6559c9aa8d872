package cage

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Attempts on files.
func filing() []attempt {
	return []attempt{
		{"read a file it was not given", keeping, `open("/", O_RDONLY)`, func(trial) unix.Errno {
			return openRoot()
		}},
		{"open a file for writing", keeping, `open("/dev/null", O_RDWR)`, func(trial) unix.Errno {
			return undo(unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0))
		}},
		{"create a file", keeping, "open(O_CREAT|O_EXCL) of a new name", func(t trial) unix.Errno {
			path := t.outside()
			fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
			if err == nil {
				defer unix.Unlink(path)
			}
			return undo(fd, err)
		}},
		{"open a file by openat2", keeping, `openat2("/", O_RDONLY)`, func(trial) unix.Errno {
			return undo(unix.Openat2(unix.AT_FDCWD, "/", &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC}))
		}},
		{"make a file in memory", keeping, "memfd_create", func(trial) unix.Errno {
			return undo(unix.MemfdCreate("try", unix.MFD_CLOEXEC))
		}},
		{"control a device", keeping, "ioctl(-1, TIOCSTI)", func(trial) unix.Errno {
			return raw(unix.SYS_IOCTL, ^uintptr(0), unix.TIOCSTI)
		}},
	}
}

// Attempts on the network.
func talking() []attempt {
	open := func(family, kind, protocol int) func(trial) unix.Errno {
		return func(trial) unix.Errno {
			return undo(unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol))
		}
	}
	return []attempt{
		{"open a TCP socket", network | keeping, "socket(AF_INET, SOCK_STREAM)", open(unix.AF_INET, unix.SOCK_STREAM, 0)},
		{"open a TCP socket over IPv6", network | keeping, "socket(AF_INET6, SOCK_STREAM)", open(unix.AF_INET6, unix.SOCK_STREAM, 0)},
		{"open a UDP socket", names | keeping, "socket(AF_INET, SOCK_DGRAM)", open(unix.AF_INET, unix.SOCK_DGRAM, 0)},
		{"open a Multipath TCP socket", keeping, "socket(AF_INET, SOCK_STREAM, 262)", open(unix.AF_INET, unix.SOCK_STREAM, 262)},
		{"open a Unix socket", keeping, "socket(AF_UNIX, SOCK_STREAM)", open(unix.AF_UNIX, unix.SOCK_STREAM, 0)},
		{"open a netlink socket", keeping, "socket(AF_NETLINK, SOCK_RAW)", open(unix.AF_NETLINK, unix.SOCK_RAW, 0)},
		{"connect a socket", network | keeping, "connect(-1)", func(trial) unix.Errno {
			return errno(unix.Connect(-1, loopback(1)))
		}},
		{"connect to a port it was not given", keeping, "connect to 127.0.0.1", trial.dialElsewhere},
		{"listen", keeping, "bind to 127.0.0.1:0, listen", onSocket(func(fd int) unix.Errno {
			if err := unix.Bind(fd, loopback(0)); err != nil {
				return errno(err)
			}
			return errno(unix.Listen(fd, 1))
		})},
		{"accept", keeping, "accept4(-1)", func(trial) unix.Errno {
			_, _, err := unix.Accept4(-1, unix.SOCK_CLOEXEC)
			return errno(err)
		}},
		{"send as it connects (fast open)", keeping, "sendto(MSG_FASTOPEN)", onSocket(func(fd int) unix.Errno {
			return errno(unix.Sendto(fd, []byte{0}, unix.MSG_FASTOPEN|unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, loopback(1)))
		})},
		{"connect as it sends (fast open)", keeping, "setsockopt(TCP_FASTOPEN_CONNECT)", onSocket(func(fd int) unix.Errno {
			return errno(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1))
		})},
		{"hand over a descriptor", keeping, "sendmsg(-1)", func(trial) unix.Errno {
			return errno(unix.Sendmsg(-1, nil, nil, nil, 0))
		}},
	}
}

func loopback(port int) unix.Sockaddr {
	return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
}

// onSocket tries on a TCP socket, or on no descriptor where none is to be had:
// the filter answers before the kernel looks at it.
func onSocket(try func(fd int) unix.Errno) func(trial) unix.Errno {
	return func(trial) unix.Errno {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return try(-1)
		}
		defer unix.Close(fd)
		return try(fd)
	}
}

// dialElsewhere dials a port of this machine that nobody uses (tcpmux, or its
// neighbour): refused by the other end means that nothing held us.
func (t trial) dialElsewhere() unix.Errno {
	port := 1
	for _, own := range t.ports {
		if int(own) == port {
			port++
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return errno(err)
	}
	defer unix.Close(fd)
	return errno(unix.Connect(fd, loopback(port)))
}

// Attempts to run something else.
func spawning() []attempt {
	return []attempt{
		{"start a program", keeping, `execve("")`, func(trial) unix.Errno {
			var path [1]byte
			return raw(unix.SYS_EXECVE, uintptr(unsafe.Pointer(&path[0])))
		}},
		{"start a program by descriptor", keeping, "execveat(-1)", func(trial) unix.Errno {
			var path [1]byte
			return raw(unix.SYS_EXECVEAT, ^uintptr(0), uintptr(unsafe.Pointer(&path[0])), 0, 0, 0)
		}},
		{"fork", keeping, "clone(SIGCHLD)", func(trial) unix.Errno { return fork() }},
		{"fork by clone3", keeping, "clone3", func(trial) unix.Errno {
			return raw(unix.SYS_CLONE3)
		}},
		{"run memory it wrote", keeping, "mmap(PROT_EXEC)", func(trial) unix.Errno {
			m, err := unix.Mmap(-1, 0, 1, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				return errno(err)
			}
			return errno(unix.Munmap(m))
		}},
		{"make memory executable", keeping, "mprotect(PROT_EXEC)", func(trial) unix.Errno {
			return page(func(m []byte) unix.Errno {
				return errno(unix.Mprotect(m, unix.PROT_READ|unix.PROT_EXEC))
			})
		}},
	}
}

// fork makes a copy of the process that ends at once. The copy is one thread
// of a program that has many: between clone and exit_group it may neither
// allocate nor be scheduled, hence raw calls and nothing between them.
//
//go:nosplit
func fork() unix.Errno {
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

// Attempts on other processes, and on what keeps this one closed.
func prying() []attempt {
	return []attempt{
		{"trace a process", 0, "ptrace(PTRACE_SEIZE) of no process", func(trial) unix.Errno {
			return raw(unix.SYS_PTRACE, unix.PTRACE_SEIZE, stranger)
		}},
		{"read a process's memory", 0, "process_vm_readv of its own", func(trial) unix.Errno {
			return copyOwn(unix.ProcessVMReadv)
		}},
		{"write a process's memory", 0, "process_vm_writev of its own", func(trial) unix.Errno {
			return copyOwn(unix.ProcessVMWritev)
		}},
		{"take a process's descriptor", 0, "pidfd_getfd(-1)", func(trial) unix.Errno {
			return undo(unix.PidfdGetfd(-1, 0, 0))
		}},
		{"signal a process", keeping, "kill of no process", func(trial) unix.Errno {
			return errno(unix.Kill(stranger, 0))
		}},
		{"raise a limit", keeping, "prlimit64(RLIMIT_NOFILE, an invalid value)", func(trial) unix.Errno {
			return errno(unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 2, Max: 1}, nil))
		}},
		{"become dumpable", keeping, "prctl(PR_SET_DUMPABLE, an invalid value)", func(trial) unix.Errno {
			return errno(unix.Prctl(unix.PR_SET_DUMPABLE, 2, 0, 0, 0))
		}},
		{"let memory be dumped", keeping, "madvise(MADV_DODUMP)", func(trial) unix.Errno {
			return page(func(m []byte) unix.Errno { return errno(unix.Madvise(m, unix.MADV_DODUMP)) })
		}},
	}
}

func copyOwn(call func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error)) unix.Errno {
	return page(func(m []byte) unix.Errno {
		local := []unix.Iovec{{Base: &m[0]}}
		local[0].SetLen(8)
		_, err := call(unix.Getpid(), local, []unix.RemoteIovec{{Base: address(m) + 8, Len: 8}}, 0)
		return errno(err)
	})
}

// Attempts on the kernel's wider doors.
func asking() []attempt {
	return []attempt{
		{"use io_uring", 0, "io_uring_setup(1)", func(trial) unix.Errno {
			var params [120]byte // struct io_uring_params
			fd, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
			if e != 0 {
				return e
			}
			return errno(unix.Close(int(fd)))
		}},
		{"load a BPF program", 0, "bpf(an unknown command)", func(trial) unix.Errno {
			return raw(unix.SYS_BPF, 1<<30, 0, 0)
		}},
		{"handle page faults", 0, "userfaultfd", func(trial) unix.Errno {
			fd, _, e := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
			if e != 0 {
				return e
			}
			return errno(unix.Close(int(fd)))
		}},
		{"watch performance events", 0, "perf_event_open(no event)", func(trial) unix.Errno {
			return raw(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0)
		}},
		{"mount", 0, "mount on no directory", func(trial) unix.Errno {
			return errno(unix.Mount("kerb", "/nonexistent/kerb", "tmpfs", 0, ""))
		}},
		{"enter a namespace", 0, "setns(-1)", func(trial) unix.Errno {
			return errno(unix.Setns(-1, 0))
		}},
		{"leave its namespaces", 0, "unshare(0)", func(trial) unix.Errno { return unshare() }},
		{"keep a key in the kernel", 0, "keyctl(KEYCTL_GET_KEYRING_ID)", func(trial) unix.Errno {
			_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_PROCESS_KEYRING, false)
			return errno(err)
		}},
		{"share memory by key", keeping, "shmget(no such segment)", func(trial) unix.Errno {
			return raw(unix.SYS_SHMGET, stranger, 1, 0)
		}},
		{"set the clock", 0, "clock_settime(nowhere)", func(trial) unix.Errno {
			return raw(unix.SYS_CLOCK_SETTIME, unix.CLOCK_REALTIME, 0)
		}},
	}
}
