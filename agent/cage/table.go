package cage

// grant is a set of abilities; each constant is one ability that a role may
// have.
type grant uint16

const (
	living   grant = 1 << iota // the calls of the Go runtime
	handover                   // receive descriptors over a Unix socket
	video                      // exchange buffers with an opened V4L2 device
	lines                      // read the levels of requested GPIO lines
	state                      // keep files in one directory
	database                   // write and map a file that is open
	keeping                    // the supervisor: everything but the worst
	decoding                   // be a program in C that reads and writes its pipes
)

const files = state | decoding // these roles open files, so they may also read their metadata

// none is the number of a call that a machine does not have.
const none = -1

// on holds one call's number on each machine.
type on struct{ amd64, arm64, arm int }

// call is one row: a system call, its numbers, and the rules by which roles may
// make it. A call without rules is refused to every role, the supervisor
// included; a call without a row is refused to every role but the supervisor.
type call struct {
	name string
	nr   on
	may  []rule
	as   uint32 // errno of a refusal; 0 is EPERM
}

// rule lets every role that has one of the grants make the call, provided that
// all tests hold.
type rule struct {
	to   grant
	when []test
	once bool // the call is passed to the listener of the filter, which lets one through
}

// test compares one argument: argument&mask must be one of the values, and the
// upper 32 bits must be zero. The kernel itself drops those bits of an int;
// asking for zero is stricter and the same on every machine.
type test struct {
	arg  int
	mask uint32
	is   []uint32 // nil: the pid of this process
}

const every = ^uint32(0)

func is(arg int, values ...uint32) test           { return test{arg, every, values} }
func without(arg int, bits uint32) test           { return test{arg, bits, []uint32{0}} }
func bits(arg int, mask uint32, want uint32) test { return test{arg, mask, []uint32{want}} }
func self(arg int) test                           { return test{arg, every, nil} }

func to(g grant, when ...test) rule { return rule{to: g, when: when} }

// Argument values, from the kernel's include/uapi. They are spelt out because
// they must hold for three machines at once; those below are equal on all.
const (
	protRW      = 0x1 | 0x2
	protRX      = 0x1 | 0x4
	mapShared   = 0x01
	mapKind     = 0x03 // MAP_SHARED, MAP_PRIVATE
	mapPrivate  = 0x02
	mapAnon     = 0x20
	goThread    = 0x50f00  // CLONE_VM|FS|FILES|SIGHAND|SYSVSEM|THREAD: runtime/os_linux.go
	cThread     = 0x3d0f00 // glibc's pthread_create: as goThread, and CLONE_SETTLS|PARENT_SETTID|CHILD_CLEARTID
	cDetached   = 0x400000 // CLONE_DETACHED, which musl adds
	setTLS      = 0x80000  // CLONE_SETTLS: runtime/sys_linux_amd64.s adds it
	accMode     = 0x3
	oRDWR       = 0x2
	oCreat      = 0x40
	oTrunc      = 0x200
	oPath       = 0x200000
	oTmpfile    = 0x400000
	prSetVMA    = 0x53564d41
	ioctlNoSize = 0xc000ffff // direction, type and number; the size differs between machines
	enosys      = 38
)

// calls is the one table all filters are made from. The numbers are those of
// the kernel's syscall tables and are checked against golang.org/x/sys in the
// tests.
var calls = []call{
	// The Go runtime, without cgo: scheduler, memory, signals, timers, netpoll.
	{"futex", on{202, 98, 240}, []rule{to(living)}, 0},
	{"futex_time64", on{none, none, 422}, []rule{to(living)}, 0},
	{"read", on{0, 63, 3}, []rule{to(living)}, 0},
	{"write", on{1, 64, 4}, []rule{to(living)}, 0},
	{"close", on{3, 57, 6}, []rule{to(living)}, 0},
	{"readv", on{19, 65, 145}, []rule{to(living)}, 0},
	{"writev", on{20, 66, 146}, []rule{to(living)}, 0},
	{"pread64", on{17, 67, 180}, []rule{to(living)}, 0}, // the runtime looks at its cgroup's CPU limit now and then
	{"fstat", on{5, 80, 108}, []rule{to(living)}, 0},
	{"fstat64", on{none, none, 197}, []rule{to(living)}, 0},
	{"epoll_create1", on{291, 20, 357}, []rule{to(living)}, 0},
	{"epoll_ctl", on{233, 21, 251}, []rule{to(living)}, 0},
	{"epoll_wait", on{232, none, 252}, []rule{to(living)}, 0},
	{"epoll_pwait", on{281, 22, 346}, []rule{to(living)}, 0},
	{"eventfd2", on{290, 19, 356}, []rule{to(living)}, 0},
	{"fcntl", on{72, 25, 55}, []rule{to(living, is(1, fcntls...))}, 0},
	{"fcntl64", on{none, none, 221}, []rule{to(living, is(1, fcntls...))}, 0},
	{"mmap", on{9, 222, none}, maps, 0},
	{"mmap2", on{none, none, 192}, maps, 0},
	{"munmap", on{11, 215, 91}, []rule{to(living)}, 0},
	{"mprotect", on{10, 226, 125}, []rule{to(living, without(2, ^uint32(protRW)))}, 0},
	{"madvise", on{28, 233, 220}, []rule{
		to(living, is(2, 4, 8, 10, 14, 15, 16, 25)), // DONTNEED, FREE, DONTFORK, HUGEPAGE, NOHUGEPAGE, DONTDUMP, COLLAPSE
		to(database, is(2, 1)),                      // RANDOM
	}, 0},
	{"mlock", on{149, 228, 150}, []rule{to(living)}, 0},
	{"rt_sigaction", on{13, 134, 174}, []rule{to(living)}, 0},
	{"rt_sigprocmask", on{14, 135, 175}, []rule{to(living)}, 0},
	{"rt_sigreturn", on{15, 139, 173}, []rule{to(living)}, 0},
	{"sigreturn", on{none, none, 119}, []rule{to(living)}, 0},
	{"sigaltstack", on{131, 132, 186}, []rule{to(living)}, 0},
	{"restart_syscall", on{219, 128, 0}, []rule{to(living)}, 0},
	{"clone", on{56, 220, 120}, []rule{
		to(living, is(0, goThread, goThread|setTLS)),
		to(decoding, is(0, cThread, cThread|cDetached)),
	}, 0},
	{"clone3", on{435, 435, 435}, []rule{to(keeping)}, enosys}, // its flags lie behind a pointer: callers fall back to clone
	{"clock_gettime", on{228, 113, 263}, []rule{to(living)}, 0},
	{"clock_gettime64", on{none, none, 403}, []rule{to(living)}, 0},
	{"gettimeofday", on{96, 169, 78}, []rule{to(living)}, 0},
	{"nanosleep", on{35, 101, 162}, []rule{to(living)}, 0},
	{"sched_yield", on{24, 124, 158}, []rule{to(living)}, 0},
	{"sched_getaffinity", on{204, 123, 242}, []rule{to(living)}, 0},
	{"getrandom", on{318, 278, 384}, []rule{to(living)}, 0},
	{"getpid", on{39, 172, 20}, []rule{to(living)}, 0},
	{"getppid", on{110, 173, 64}, []rule{to(living)}, 0},
	{"gettid", on{186, 178, 224}, []rule{to(living)}, 0},
	{"uname", on{63, 160, 122}, []rule{to(living)}, 0},
	// It tells whether the clock is disciplined; setting it takes a capability that no role keeps.
	{"adjtimex", on{159, 171, 124}, []rule{to(living | keeping)}, 0},
	{"tgkill", on{234, 131, 268}, []rule{to(living, self(0))}, 0},
	{"kill", on{62, 129, 37}, []rule{to(living, self(0))}, 0},
	{"prctl", on{157, 167, 172}, []rule{
		to(living, is(0, 3, 21, 39)),          // PR_GET_DUMPABLE, PR_GET_SECCOMP, PR_GET_NO_NEW_PRIVS
		to(living, is(0, prSetVMA), is(1, 0)), // the runtime names its mappings
		to(decoding, is(0, 15)),               // PR_SET_NAME
	}, 0},
	{"prlimit64", on{302, 261, 369}, []rule{to(living, is(0, 0), is(2, 0))}, 0}, // ask, not set
	{"exit", on{60, 93, 1}, []rule{to(living)}, 0},
	{"exit_group", on{231, 94, 248}, []rule{to(living)}, 0},

	// Devices, by request number only.
	{"ioctl", on{16, 29, 54}, []rule{
		to(video, test{1, ioctlNoSize, []uint32{
			0x80005600, 0xc0005602, 0xc000564a, 0xc000564b, // VIDIOC_QUERYCAP, ENUM_FMT, ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS
			0xc0005604, 0xc0005605, 0xc0005616, 0xc0005608, 0xc0005609, // G_FMT, S_FMT, S_PARM, REQBUFS, QUERYBUF
			0xc000560f, 0xc0005611, 0x40005612, 0x40005613, // QBUF, DQBUF, STREAMON, STREAMOFF
		}}),
		to(lines, test{1, ioctlNoSize, []uint32{0xc000b40e}}), // GPIO_V2_LINE_GET_VALUES
	}, 0},

	{"poll", on{7, none, 168}, []rule{to(lines | decoding)}, 0},
	{"ppoll", on{271, 73, 336}, []rule{to(lines | decoding)}, 0},

	// A program in C, its loader and its libraries.
	{"execve", on{59, 221, 11}, []rule{{to: decoding, once: true}, to(keeping)}, 0},
	{"brk", on{12, 214, 45}, []rule{to(decoding)}, 0},
	{"mremap", on{25, 216, 163}, []rule{to(decoding)}, 0},
	{"access", on{21, none, 33}, []rule{to(decoding)}, 0},
	{"faccessat", on{269, 48, 334}, []rule{to(decoding)}, 0},
	{"faccessat2", on{439, 439, 439}, []rule{to(decoding)}, 0},
	{"arch_prctl", on{158, none, none}, []rule{to(decoding)}, 0},
	{"cacheflush", on{none, none, 0xf0002}, []rule{to(decoding)}, 0}, // arch/arm/include/uapi/asm/unistd.h
	{"set_tls", on{none, none, 0xf0005}, []rule{to(decoding)}, 0},
	{"set_tid_address", on{218, 96, 256}, []rule{to(decoding)}, 0},
	{"set_robust_list", on{273, 99, 338}, []rule{to(decoding)}, 0},
	{"rseq", on{334, 293, 398}, []rule{to(decoding)}, 0},
	{"capget", on{125, 90, 184}, []rule{to(decoding)}, 0},                                                 // asked by the attempts
	{"landlock_create_ruleset", on{444, 444, 444}, []rule{to(decoding, is(0, 0), is(1, 0), is(2, 1))}, 0}, // ask the ABI
	{"getrusage", on{98, 165, 77}, []rule{to(decoding)}, 0},
	{"sysinfo", on{99, 179, 116}, []rule{to(decoding)}, 0},
	{"clock_getres", on{229, 114, 264}, []rule{to(decoding)}, 0},
	{"clock_nanosleep", on{230, 115, 265}, []rule{to(decoding)}, 0},
	{"clock_nanosleep_time64", on{none, none, 407}, []rule{to(decoding)}, 0},

	// Sockets: no role but the supervisor opens one. Option numbers: include/uapi/asm-generic/socket.h.
	{"recvmsg", on{47, 212, 297}, []rule{to(handover)}, 0},
	{"socket", on{41, 198, 281}, []rule{to(keeping)}, 0},
	{"connect", on{42, 203, 283}, []rule{to(keeping)}, 0},
	{"setsockopt", on{54, 208, 294}, []rule{to(keeping)}, 0},
	{"getsockopt", on{55, 209, 295}, []rule{to(handover, is(1, 1), is(2, 3, 4))}, 0}, // SO_TYPE, SO_ERROR
	{"getsockname", on{51, 204, 286}, []rule{to(handover)}, 0},
	{"getpeername", on{52, 205, 287}, []rule{to(handover)}, 0},

	// Files.
	{"openat", on{257, 56, 322}, []rule{
		to(files, without(2, accMode|oCreat|oTrunc|oPath|oTmpfile)),
		to(state, bits(2, accMode|oPath|oTmpfile, oRDWR)),
	}, 0},
	{"newfstatat", on{262, 79, none}, []rule{to(files)}, 0},
	{"fstatat64", on{none, none, 327}, []rule{to(files)}, 0},
	{"getdents64", on{217, 61, 217}, []rule{to(files)}, 0},
	{"readlinkat", on{267, 78, 332}, []rule{to(files)}, 0},
	{"lseek", on{8, 62, 19}, []rule{to(files)}, 0},
	{"_llseek", on{none, none, 140}, []rule{to(files)}, 0},
	{"pwrite64", on{18, 68, 181}, []rule{to(database)}, 0},
	{"ftruncate", on{77, 46, 93}, []rule{to(database)}, 0},
	{"ftruncate64", on{none, none, 194}, []rule{to(database)}, 0},
	{"fsync", on{74, 82, 118}, []rule{to(database)}, 0},
	{"fdatasync", on{75, 83, 148}, []rule{to(database)}, 0},
	{"flock", on{73, 32, 143}, []rule{to(database)}, 0},
	{"renameat", on{264, 38, 329}, []rule{to(state)}, 0},
	{"unlinkat", on{263, 35, 328}, []rule{to(state)}, 0},
	{"statfs", on{137, 43, 99}, []rule{to(database)}, 0},
	{"fstatfs", on{138, 44, 100}, []rule{to(database)}, 0},
	{"statfs64", on{none, none, 266}, []rule{to(database)}, 0},
	{"fstatfs64", on{none, none, 267}, []rule{to(database)}, 0},

	// No role: other processes' memory, the kernel's own doors, the clock.
	{"ptrace", on{101, 117, 26}, nil, 0},
	{"process_vm_readv", on{310, 270, 376}, nil, 0},
	{"process_vm_writev", on{311, 271, 377}, nil, 0},
	{"process_madvise", on{440, 440, 440}, nil, 0},
	{"pidfd_getfd", on{438, 438, 438}, nil, 0},
	{"kcmp", on{312, 272, 378}, nil, 0},
	{"io_uring_setup", on{425, 425, 425}, nil, 0},
	{"io_uring_enter", on{426, 426, 426}, nil, 0},
	{"io_uring_register", on{427, 427, 427}, nil, 0},
	{"bpf", on{321, 280, 386}, nil, 0},
	{"userfaultfd", on{323, 282, 388}, nil, 0},
	{"perf_event_open", on{298, 241, 364}, nil, 0},
	{"add_key", on{248, 217, 309}, nil, 0},
	{"request_key", on{249, 218, 310}, nil, 0},
	{"keyctl", on{250, 219, 311}, nil, 0},
	{"mount", on{165, 40, 21}, nil, 0},
	{"umount2", on{166, 39, 52}, nil, 0},
	{"pivot_root", on{155, 41, 218}, nil, 0},
	{"chroot", on{161, 51, 61}, nil, 0},
	{"open_tree", on{428, 428, 428}, nil, 0},
	{"move_mount", on{429, 429, 429}, nil, 0},
	{"fsopen", on{430, 430, 430}, nil, 0},
	{"fsconfig", on{431, 431, 431}, nil, 0},
	{"fsmount", on{432, 432, 432}, nil, 0},
	{"fspick", on{433, 433, 433}, nil, 0},
	{"mount_setattr", on{442, 442, 442}, nil, 0},
	{"open_by_handle_at", on{304, 265, 371}, nil, 0},
	{"fanotify_init", on{300, 262, 367}, nil, 0},
	{"setns", on{308, 268, 375}, nil, 0},
	{"unshare", on{272, 97, 337}, nil, 0},
	{"init_module", on{175, 105, 128}, nil, 0},
	{"finit_module", on{313, 273, 379}, nil, 0},
	{"delete_module", on{176, 106, 129}, nil, 0},
	{"kexec_load", on{246, 104, 347}, nil, 0},
	{"kexec_file_load", on{320, 294, 401}, nil, 0},
	{"reboot", on{169, 142, 88}, nil, 0},
	{"swapon", on{167, 224, 87}, nil, 0},
	{"swapoff", on{168, 225, 115}, nil, 0},
	{"acct", on{163, 89, 51}, nil, 0},
	{"quotactl", on{179, 60, 131}, nil, 0},
	{"syslog", on{103, 116, 103}, nil, 0},
	{"iopl", on{172, none, none}, nil, 0},
	{"ioperm", on{173, none, none}, nil, 0},
	{"modify_ldt", on{154, none, none}, nil, 0},
	{"settimeofday", on{164, 170, 79}, nil, 0},
	{"clock_settime", on{227, 112, 262}, nil, 0},
	{"clock_settime64", on{none, none, 404}, nil, 0},
	{"clock_adjtime", on{305, 266, 372}, nil, 0},
	{"clock_adjtime64", on{none, none, 405}, nil, 0},
}

// Rules that two numbers of the same call share.
var (
	// F_GETFD, SETFD, GETFL, SETFL, DUPFD_CLOEXEC
	fcntls = []uint32{1, 2, 3, 4, 1030}
	// Private memory for the heap; a shared mapping of an open file for V4L2
	// buffers and the database. Never executable and writable.
	maps = []rule{
		to(living, without(2, ^uint32(protRW)), bits(3, mapAnon|mapShared, mapAnon)),
		to(video|database, without(2, ^uint32(protRW)), bits(3, mapAnon|mapKind, mapShared)),
		// Libraries: code of a file that cannot be written, and a private copy of its data.
		to(decoding, without(2, ^uint32(protRX)), bits(3, mapAnon|mapKind, mapPrivate)),
		to(decoding, without(2, ^uint32(protRW)), bits(3, mapAnon|mapKind, mapPrivate)),
	}
)
