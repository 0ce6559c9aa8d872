package cage

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// machine is one of the three architectures a filter can be made for.
type machine struct {
	name  string // GOARCH
	audit uint32 // AUDIT_ARCH_… that the kernel puts before the filter
	nr    func(on) int
	x32   bool // numbers with bit 30 are a second interface to the same kernel
}

var machines = []machine{
	{"amd64", unix.AUDIT_ARCH_X86_64, func(n on) int { return n.amd64 }, true},
	{"arm64", unix.AUDIT_ARCH_AARCH64, func(n on) int { return n.arm64 }, false},
	{"arm", unix.AUDIT_ARCH_ARM, func(n on) int { return n.arm }, false},
}

func host() (machine, error) {
	for _, m := range machines {
		if m.name == runtime.GOARCH {
			return m, nil
		}
	}
	return machine{}, fmt.Errorf("no table of system calls for %s", runtime.GOARCH)
}

// Offsets in struct seccomp_data (include/uapi/linux/seccomp.h). All three
// machines are little-endian: the low half of an argument comes first.
const (
	offNr   = 0
	offArch = 4
	offArgs = 16
)

const (
	verdictAllow = uint32(unix.SECCOMP_RET_ALLOW)
	verdictKill  = uint32(unix.SECCOMP_RET_KILL_PROCESS)
	x32Bit       = 0x40000000
)

func verdictErrno(errno uint32) uint32 {
	if errno == 0 {
		errno = uint32(unix.EPERM)
	}
	return unix.SECCOMP_RET_ERRNO | errno
}

// assemble makes the filter of a role for a machine.
//
// A refused call gives an errno rather than death, so that what is in force
// can be measured by trying, on the device, at every start. Death is for what
// no code of ours could ever ask for: a system call through another
// architecture's entry or through x32.
func assemble(m machine, g grant, pid uint32) []unix.SockFilter {
	p := program{
		load(offArch),
		jump(unix.BPF_JEQ, m.audit, 1, 0),
		ret(verdictKill),
		load(offNr),
	}
	if m.x32 {
		p = append(p, jump(unix.BPF_JGE, x32Bit, 0, 1), ret(verdictKill))
	}
	rest := verdictErrno(0)
	if g&keeping != 0 {
		rest = verdictAllow
	}
	for _, c := range calls {
		if nr := m.nr(c.nr); nr != none {
			p = append(p, c.assemble(uint32(nr), g, pid)...)
		}
	}
	return append(p, ret(rest))
}

// assemble gives the row's instructions, or none where they would only repeat
// what the end of the filter says.
func (c call) assemble(nr uint32, g grant, pid uint32) program {
	if g&keeping != 0 && len(c.may) != 0 || g&keeping == 0 && !c.granted(g) && c.as == 0 {
		return nil
	}
	var body program
	open := false // a rule without tests: nothing after it is reached
	for _, r := range c.may {
		if r.to&g != 0 && !open {
			body = append(body, r.assemble(pid)...)
			open = len(r.when) == 0
		}
	}
	if !open {
		body = append(body, ret(verdictErrno(c.as)))
	}
	return append(program{jump(unix.BPF_JEQ, nr, 0, uint8(len(body)))}, body...)
}

func (c call) granted(g grant) bool {
	for _, r := range c.may {
		if r.to&g != 0 {
			return true
		}
	}
	return false
}

// assemble allows the call when all tests hold and falls through otherwise.
func (r rule) assemble(pid uint32) program {
	p := program{ret(verdictAllow)}
	for i := len(r.when) - 1; i >= 0; i-- {
		t := r.when[i]
		p = append(t.assemble(pid, uint8(len(p))), p...)
	}
	return p
}

// assemble goes on when the test holds and jumps over the rest of the rule,
// skip instructions, otherwise.
func (t test) assemble(pid uint32, skip uint8) program {
	values := t.is
	if values == nil {
		values = []uint32{pid}
	}
	n := uint8(len(values))
	low := program{load(offArgs + 8*uint32(t.arg))}
	if t.mask != every {
		low = append(low, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: t.mask})
	}
	for i, v := range values {
		miss := uint8(0)
		if i == len(values)-1 {
			miss = skip
		}
		low = append(low, jump(unix.BPF_JEQ, v, n-1-uint8(i), miss))
	}
	high := program{
		load(offArgs + 8*uint32(t.arg) + 4),
		jump(unix.BPF_JEQ, 0, 0, uint8(len(low))+skip),
	}
	return append(high, low...)
}

type program = []unix.SockFilter

func load(at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
}

func jump(how uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | how | unix.BPF_K, K: k, Jt: yes, Jf: no}
}

func ret(k uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k}
}
