package cage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"go/build"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	pid    = 4242
	eperm  = uint32(unix.SECCOMP_RET_ERRNO | unix.EPERM)
	nosys  = uint32(unix.SECCOMP_RET_ERRNO | unix.ENOSYS)
	allow  = actionAllow
	killed = actionKill
	asks   = actionAsk
)

// asked is struct seccomp_data without the instruction pointer.
type asked struct {
	nr, arch uint32
	args     [6]uint64
}

// interpreterOf runs filters on the BPF interpreter of golang.org/x/net. It
// reads a packet in network byte order where the kernel reads the struct in the
// machine's, so the words are written big-endian.
func interpreterOf(t testing.TB, filter []unix.SockFilter) func(asked) uint32 {
	t.Helper()
	raw := make([]bpf.RawInstruction, len(filter))
	for i, f := range filter {
		raw[i] = bpf.RawInstruction{Op: f.Code, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	program, known := bpf.Disassemble(raw)
	if !known {
		t.Fatal("the filter has an instruction that BPF does not")
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	return func(a asked) uint32 {
		words := []uint32{a.nr, a.arch, 0, 0}
		for _, v := range a.args {
			words = append(words, uint32(v), uint32(v>>32))
		}
		var b bytes.Buffer
		_ = binary.Write(&b, binary.BigEndian, words)
		verdict, err := vm.Run(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return uint32(verdict)
	}
}

// planner is the part of a Role from which its filter is made.
type planner interface {
	roleName() string
	makePlan() plan
}

var everyRole = []planner{
	Sense(), Sense().Handover(), Sense().Video(), Sense().Lines(), Sense().Handover().Video().Lines(),
	Uplink(), Uplink().State("/var/lib/kerb"), Uplink().Database(),
	decodeRole{},
}

func numberOf(t testing.TB, m machine, name string) uint32 {
	t.Helper()
	for _, c := range calls {
		if nr := m.nr(c.nr); c.name == name && nr != none {
			return uint32(nr)
		}
	}
	return 1 << 20 // no such call on this machine
}

// The verdicts a reader can check against the page of the system call. Numbers
// that no row has are given as themselves, for amd64, arm64 and arm.
func TestEachRoleGetsItsCallsAndNoOther(t *testing.T) {
	const cloexec, nonblock = 0x80000, 0x800
	all := Sense().Handover().Video().Lines()
	for _, c := range []struct {
		what    string
		role    planner
		name    string
		args    [6]uint64
		verdict uint32
	}{
		{"read", Sense(), "read", [6]uint64{3}, allow},
		{"write", Sense(), "write", [6]uint64{1}, allow},
		{"futex", Sense(), "futex", [6]uint64{}, allow},
		{"open to read", all, "openat", [6]uint64{^uint64(99), 0, cloexec}, eperm},
		{"stat", all, "newfstatat", [6]uint64{}, eperm},
		{"any socket", all, "socket", [6]uint64{2, 1}, eperm},
		{"connect what it was handed", all, "connect", [6]uint64{3}, eperm},
		{"receive a descriptor unasked", Sense(), "recvmsg", [6]uint64{}, eperm},
		{"receive a descriptor", Sense().Handover(), "recvmsg", [6]uint64{}, allow},
		{"dequeue a buffer unasked", Sense(), "ioctl", [6]uint64{3, 0xc0585611}, eperm},
		{"dequeue a buffer, 64 bit", Sense().Video(), "ioctl", [6]uint64{3, 0xc0585611}, allow},
		{"dequeue a buffer, 32 bit", Sense().Video(), "ioctl", [6]uint64{3, 0xc0505611}, allow},
		{"set the exposure", Sense().Video(), "ioctl", [6]uint64{3, 0xc008561c}, eperm},
		{"type at the terminal", all, "ioctl", [6]uint64{0, 0x5412}, eperm},
		{"read a line", Sense().Lines(), "ioctl", [6]uint64{3, 0xc010b40e}, allow},
		{"request a line", Sense().Lines(), "ioctl", [6]uint64{3, 0xc250b407}, eperm},
		{"heap", Sense(), "mmap", [6]uint64{0, 4096, 3, 0x22, ^uint64(0)}, allow},
		{"reserve", Sense(), "mmap", [6]uint64{0, 4096, 0, 0x22}, allow},
		{"heap, arm", Sense(), "mmap2", [6]uint64{0, 4096, 3, 0x22}, allow},
		{"executable", all, "mmap", [6]uint64{0, 4096, 5, 0x22}, eperm},
		{"executable, arm", all, "mmap2", [6]uint64{0, 4096, 7, 0x22}, eperm},
		{"map a file", Sense(), "mmap", [6]uint64{0, 4096, 1, 1, 5}, eperm},
		{"map a buffer", Sense().Video(), "mmap", [6]uint64{0, 4096, 3, 1, 5}, allow},
		{"map the database", Uplink().State("/s"), "mmap", [6]uint64{0, 4096, 1, 1, 5}, allow},
		{"share memory", Sense(), "mmap", [6]uint64{0, 4096, 3, 0x21}, eperm},
		{"protect", Sense(), "mprotect", [6]uint64{0, 4096, 1}, allow},
		{"make executable", Sense(), "mprotect", [6]uint64{0, 4096, 4}, eperm},
		{"make executable, high bits", Sense(), "mprotect", [6]uint64{0, 4096, 1 << 33}, eperm},
		{"thread", Sense(), "clone", [6]uint64{0x50f00}, allow},
		{"thread, amd64", Sense(), "clone", [6]uint64{0xd0f00}, allow},
		{"fork", Sense(), "clone", [6]uint64{17}, eperm},
		{"vfork", Sense(), "clone", [6]uint64{0x4111}, eperm},
		{"thread in a new namespace", Sense(), "clone", [6]uint64{0x50f00 | 1<<28}, eperm},
		{"thread with high flags", Sense(), "clone", [6]uint64{0x50f00 | 1<<32}, eperm},
		{"clone3", Sense(), "clone3", [6]uint64{}, nosys},
		{"clone3", Uplink(), "clone3", [6]uint64{}, nosys},
		{"signal itself", Sense(), "tgkill", [6]uint64{pid, pid, 23}, allow},
		{"signal another", Sense(), "tgkill", [6]uint64{1, 1, 23}, eperm},
		{"signal all", Sense(), "kill", [6]uint64{0xffffffff, 9}, eperm},
		{"ask a limit", Sense(), "prlimit64", [6]uint64{0, 7, 0, 99}, allow},
		{"set a limit", Sense(), "prlimit64", [6]uint64{0, 7, 99, 0}, eperm},
		{"ask another's limit", Sense(), "prlimit64", [6]uint64{1, 7, 0, 99}, eperm},
		{"name a mapping", Sense(), "prctl", [6]uint64{prSetVMA, 0}, allow},
		{"become dumpable", Sense(), "prctl", [6]uint64{4, 1}, eperm},
		{"pages not to be dumped", Sense(), "madvise", [6]uint64{0, 1, 16}, allow},
		{"pages to be dumped", Sense(), "madvise", [6]uint64{0, 1, 17}, eperm},
		{"duplicate", Sense(), "fcntl", [6]uint64{3, 1030}, allow},
		{"seal, own, lease", Sense(), "fcntl", [6]uint64{3, 8}, eperm},
		{"append to its spool", Uplink(), "pwrite64", [6]uint64{}, eperm},

		{"TCP", Uplink().State("/s"), "socket", [6]uint64{2, 1 | cloexec | nonblock, 0}, eperm},
		{"UDP", Uplink().State("/s"), "socket", [6]uint64{10, 2 | cloexec, 17}, eperm},
		{"Unix", Uplink().State("/s"), "socket", [6]uint64{1, 1, 0}, eperm},
		{"connect what it was handed", Uplink().State("/s"), "connect", [6]uint64{3}, eperm},
		{"change what it was handed", Uplink().State("/s"), "setsockopt", [6]uint64{5, 1, 25}, eperm},
		{"receive a descriptor", Uplink(), "recvmsg", [6]uint64{}, allow},
		{"open to read", Uplink(), "openat", [6]uint64{0, 0, cloexec}, eperm},
		{"open to read in its state", Uplink().State("/s"), "openat", [6]uint64{0, 0, cloexec}, allow},
		{"open to write only", Uplink().State("/s"), "openat", [6]uint64{0, 0, 1}, eperm},
		{"truncate as it reads", Uplink().State("/s"), "openat", [6]uint64{0, 0, 0x200}, eperm},
		{"create in its state", Uplink().State("/s"), "openat", [6]uint64{0, 0, 2 | 0x40 | cloexec}, allow},
		{"create without a name", Uplink().State("/s"), "openat", [6]uint64{0, 0, 2 | 0x410000}, eperm},

		{"write its open database", Uplink().Database(), "pwrite64", [6]uint64{}, allow},
		{"map its open database", Uplink().Database(), "mmap", [6]uint64{0, 4096, 1, 1, 5}, allow},
		{"open another", Uplink().Database(), "openat", [6]uint64{0, 0, 2}, eperm},
		{"rename its database", Uplink().Database(), "renameat", [6]uint64{}, eperm},

		{"read a library", decodeRole{}, "openat", [6]uint64{0, 0, cloexec}, allow},
		{"write", decodeRole{}, "openat", [6]uint64{0, 0, 1}, eperm},
		{"create", decodeRole{}, "openat", [6]uint64{0, 0, 0x42}, eperm},
		{"be started", decodeRole{}, "execve", [6]uint64{}, asks},
		{"start a program", Sense(), "execve", [6]uint64{}, eperm},
		{"thread of glibc", decodeRole{}, "clone", [6]uint64{0x3d0f00}, allow},
		{"fork", decodeRole{}, "clone", [6]uint64{17}, eperm},
		{"fork of glibc", decodeRole{}, "clone", [6]uint64{0x1200011}, eperm},
		{"code of a library", decodeRole{}, "mmap", [6]uint64{0, 4096, 5, 0x802, 3}, allow},
		{"data of a library", decodeRole{}, "mmap", [6]uint64{0, 4096, 3, 0x812, 3}, allow},
		{"executable memory", decodeRole{}, "mmap", [6]uint64{0, 4096, 5, 0x22}, eperm},
		{"executable and writable", decodeRole{}, "mmap", [6]uint64{0, 4096, 7, 2, 3}, eperm},
		{"make executable", decodeRole{}, "mprotect", [6]uint64{0, 4096, 5}, eperm},
		{"socket", decodeRole{}, "socket", [6]uint64{1, 1}, eperm},
		{"signal another", decodeRole{}, "kill", [6]uint64{1, 0}, eperm},
		{"type at the terminal", decodeRole{}, "ioctl", [6]uint64{0, 0x5412}, eperm},

		{"trace", Supervisor(), "ptrace", [6]uint64{}, eperm},
		{"io_uring", Supervisor(), "io_uring_setup", [6]uint64{}, eperm},
		{"socket", Supervisor(), "socket", [6]uint64{1, 1}, allow},
		{"fork", Supervisor(), "clone", [6]uint64{17}, allow},
		{"clone3", Supervisor(), "clone3", [6]uint64{}, allow},
		{"set a limit", Supervisor(), "prlimit64", [6]uint64{9, 7, 99, 0}, allow},
		{"set the clock", Supervisor(), "clock_settime", [6]uint64{}, eperm},
	} {
		for _, m := range machines {
			nr := numberOf(t, m, c.name)
			if nr == 1<<20 {
				continue
			}
			got := interpreterOf(t, assembleFilter(m, c.role.makePlan().grants, pid))(asked{nr, m.audit, c.args})
			if got != c.verdict {
				t.Errorf("%s: %s: %s: %s(%#x) = %#x, want %#x", m.name, c.role.roleName(), c.what, c.name, c.args, got, c.verdict)
			}
		}
	}
}

// The calls that no row has are refused by their absence; here they are, so
// that a row added by mistake is noticed.
func TestTheWorstCallsAreInNoRole(t *testing.T) {
	own := map[string]bool{"mremap": true, "set_tid_address": true} // of a program in C
	for name, n := range map[string]on{
		"execveat":            {322, 281, 387},
		"fork":                {57, none, 2},
		"vfork":               {58, none, 190},
		"open":                {2, none, 5},
		"creat":               {85, none, 8},
		"openat2":             {437, 437, 437},
		"memfd_create":        {319, 279, 385},
		"bind":                {49, 200, 282},
		"listen":              {50, 201, 284},
		"accept4":             {288, 242, 366},
		"sendto":              {44, 206, 290},
		"sendmsg":             {46, 211, 296},
		"sendmmsg":            {307, 269, 374},
		"socketpair":          {53, 199, 288},
		"ptrace":              {101, 117, 26},
		"process_vm_readv":    {310, 270, 376},
		"io_uring_enter":      {426, 426, 426},
		"bpf":                 {321, 280, 386},
		"userfaultfd":         {323, 282, 388},
		"mount":               {165, 40, 21},
		"truncate":            {76, 45, 92},
		"fallocate":           {285, 47, 352},
		"sendfile":            {40, 71, 187},
		"splice":              {275, 76, 340},
		"vmsplice":            {278, 75, 343},
		"copy_file_range":     {326, 285, 391},
		"mremap":              {25, 216, 163},
		"process_madvise":     {440, 440, 440},
		"pidfd_send_signal":   {424, 424, 424},
		"rt_sigqueueinfo":     {129, 138, 178},
		"tkill":               {200, 130, 238},
		"setrlimit":           {160, 164, 75},
		"seccomp":             {317, 277, 383},
		"shmget":              {29, 194, 307},
		"mq_open":             {240, 180, 274},
		"memfd_secret":        {447, 447, none},
		"landlock_add_rule":   {445, 445, 445},
		"setuid":              {105, 146, 213},
		"capset":              {126, 91, 185},
		"init_module":         {175, 105, 128},
		"name_to_handle_at":   {303, 264, 370},
		"mkdirat":             {258, 34, 323},
		"linkat":              {265, 37, 330},
		"symlinkat":           {266, 36, 331},
		"mknodat":             {259, 33, 324},
		"setxattr":            {188, 5, 226},
		"inotify_add_watch":   {254, 27, 317},
		"mseal":               {462, 462, 462},
		"file_setattr":        {469, 469, 469},
		"restrict_self":       {446, 446, 446},
		"fchmodat2":           {452, 452, 452},
		"set_tid_address":     {218, 96, 256},
		"timer_create":        {222, 107, 257},
		"personality":         {135, 92, 136},
		"sched_setaffinity":   {203, 122, 241},
		"pipe2":               {293, 59, 359},
		"dup3":                {292, 24, 358},
		"inotify_init1":       {294, 26, 360},
		"getdents (obsolete)": {78, none, 141},
	} {
		for _, role := range everyRole {
			for _, m := range machines {
				nr := m.nr(n)
				if nr == none || own[name] && role.roleName() == "decode" {
					continue
				}
				if got := interpreterOf(t, assembleFilter(m, role.makePlan().grants, pid))(asked{uint32(nr), m.audit, [6]uint64{}}); got != eperm {
					t.Errorf("%s: %s: %s = %#x", m.name, role.roleName(), name, got)
				}
			}
		}
	}
}

// specifiedAction reads from the table, in the plainest code, whether a role
// may make a call. The filters are compared with it.
func specifiedAction(m machine, g grant, a asked) uint32 {
	if a.arch != m.audit || m.x32 && a.nr >= x32Bit {
		return killed
	}
	verdict := eperm
	if g&keeping != 0 {
		verdict = allow
	}
	for _, c := range calls {
		if m.nr(c.nr) == none || uint32(m.nr(c.nr)) != a.nr {
			continue
		}
		if g&keeping != 0 {
			if len(c.may) == 0 {
				return eperm
			}
			return allow
		}
		if c.as != 0 {
			verdict = unix.SECCOMP_RET_ERRNO | c.as
		}
		for _, r := range c.may {
			if r.to&g != 0 && !slices.ContainsFunc(r.when, func(t test) bool { return !t.holds(a) }) {
				if r.once {
					return asks
				}
				return allow
			}
		}
	}
	return verdict
}

func (t test) holds(a asked) bool {
	v := a.args[t.arg]
	if t.is == nil {
		return v == pid
	}
	return v>>32 == 0 && slices.Contains(t.is, uint32(v)&t.mask)
}

// likely are argument values near those the tables know.
var likely = []uint64{
	0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 14, 16, 17, 21, 25, 39, 41, 262, 1030, pid,
	0x20, 0x21, 0x22, 0x40, 0x200, 0x50f00, 0x80000, 0x80800, 0x80801, 0x80802, prSetVMA,
	0xc000560f, 0xc0585611, 0x40045612, 0xc010b40e, 0x400000, 1 << 32, 1<<32 | 2, 1 << 63, ^uint64(0),
}

func TestFiltersSayWhatTheTableSays(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	rounds := 20_000
	if testing.Short() {
		rounds = 2_000
	}
	for _, m := range machines {
		for _, role := range append(everyRole, Supervisor()) {
			g := role.makePlan().grants
			verdict := interpreterOf(t, assembleFilter(m, g, pid))
			for i := range rounds {
				a := asked{nr: uint32(i), arch: m.audit}
				switch {
				case i < 1000: // every number there is, and some to come
				case i%50 == 0:
					a.arch = r.Uint32()
				case i%50 == 1:
					a.nr = r.Uint32()
				case i%50 == 2:
					a.nr = uint32(r.IntN(512)) | x32Bit
				default:
					a.nr = max(0, uint32(m.nr(calls[r.IntN(len(calls))].nr)))
				}
				for j := range a.args {
					if a.args[j] = likely[r.IntN(len(likely))]; r.IntN(8) == 0 {
						a.args[j] = r.Uint64() >> r.IntN(64)
					}
				}
				if got, want := verdict(a), specifiedAction(m, g, a); got != want {
					t.Fatalf("%s: %s %#x: %+v = %#x, want %#x", m.name, role.roleName(), g, a, got, want)
				}
			}
		}
	}
}

func FuzzFiltersSayWhatTheTableSays(f *testing.F) {
	f.Add(uint8(0), uint8(0), uint32(257), uint32(unix.AUDIT_ARCH_X86_64), uint64(0), uint64(0), uint64(0x42), uint64(0))
	f.Add(uint8(1), uint8(5), uint32(198), uint32(unix.AUDIT_ARCH_AARCH64), uint64(2), uint64(1), uint64(262), uint64(0))
	f.Add(uint8(2), uint8(2), uint32(192), uint32(unix.AUDIT_ARCH_ARM), uint64(0), uint64(4096), uint64(3), uint64(0x22))
	f.Add(uint8(0), uint8(0), uint32(x32Bit|1), uint32(unix.AUDIT_ARCH_X86_64), uint64(1), uint64(0), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, machineNo, roleNo uint8, nr, arch uint32, a0, a1, a2, a3 uint64) {
		m := machines[int(machineNo)%len(machines)]
		g := everyRole[int(roleNo)%len(everyRole)].makePlan().grants
		a := asked{nr, arch, [6]uint64{a0, a1, a2, a3}}
		if got, want := interpreterOf(t, assembleFilter(m, g, pid))(a), specifiedAction(m, g, a); got != want {
			t.Errorf("%s, grants %#x: %+v = %#x, want %#x", m.name, g, a, got, want)
		}
	})
}

// The control of the property: a filter with one row too many is detected.
func TestARowTooManyIsNoticed(t *testing.T) {
	m := machines[0]
	filter := assembleFilter(m, living, pid)
	execve := []unix.SockFilter{jumpIf(unix.BPF_JEQ, 59, 0, 1), returnAction(actionAllow)}
	planted := slices.Insert(slices.Clone(filter), len(filter)-1, execve...)
	a := asked{59, m.audit, [6]uint64{}}
	if interpreterOf(t, planted)(a) == specifiedAction(m, living, a) {
		t.Error("execve was planted, and not noticed")
	}
}

func TestFiltersAreWithinTheKernelsLimits(t *testing.T) {
	for _, m := range machines {
		for _, role := range append(everyRole, Supervisor()) {
			g := role.makePlan().grants
			if n := len(assembleFilter(m, g, pid)); n > unix.BPF_MAXINSNS {
				t.Errorf("%s: %s has %d instructions", m.name, role.roleName(), n)
			}
			for _, c := range calls {
				if n := len(c.assembleCall(0, g, pid)); n > 256 {
					t.Errorf("%s: the row of %s has %d instructions, a jump reaches 255", role.roleName(), c.name, n)
				}
			}
		}
	}
}

// privateARM is the first of ARM's own calls, which x/sys does not list
// (arch/arm/include/uapi/asm/unistd.h).
const privateARM = 0xf0000

func TestNumbersAreTheKernels(t *testing.T) {
	p, err := build.Import("golang.org/x/sys/unix", ".", build.FindOnly)
	if err != nil {
		t.Skip("needs the sources of golang.org/x/sys:", err)
	}
	row := regexp.MustCompile(`(?m)^\s+SYS_([A-Z0-9_]+)\s+=\s+(\d+)`)
	for _, m := range machines {
		src, err := os.ReadFile(filepath.Join(p.Dir, fmt.Sprintf("zsysnum_linux_%s.go", m.name)))
		if err != nil {
			t.Skip(err)
		}
		numbers := map[string]int{}
		for _, match := range row.FindAllSubmatch(src, -1) {
			numbers[string(bytes.ToLower(match[1]))], _ = strconv.Atoi(string(match[2]))
		}
		if len(numbers) < 300 {
			t.Fatalf("%s: read only %d numbers", m.name, len(numbers))
		}
		for _, c := range calls {
			want, there := numbers[c.name]
			if !there {
				want = none
			}
			if m.nr(c.nr)&^0xff == privateARM {
				continue
			}
			if got := m.nr(c.nr); got != want {
				t.Errorf("%s: %s is %d, not %d", m.name, c.name, want, got)
			}
		}
	}
}

func TestEveryCallHasOneRow(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range calls {
		if seen[c.name] {
			t.Errorf("%s has two rows: only the first would be read", c.name)
		}
		seen[c.name] = true
	}
}
