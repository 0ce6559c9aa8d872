package cage

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// machine is one of the three architectures for which a filter can be made.
type machine struct {
	name  string       // GOARCH
	audit uint32       // AUDIT_ARCH_… that the kernel passes to the filter
	nr    func(on) int // number of a call on this machine
	x32   bool         // numbers with bit 30 are a second interface to the same kernel
}

// machines are the architectures that the table of calls covers.
var machines = []machine{
	{"amd64", unix.AUDIT_ARCH_X86_64, func(n on) int { return n.amd64 }, true},
	{"arm64", unix.AUDIT_ARCH_AARCH64, func(n on) int { return n.arm64 }, false},
	{"arm", unix.AUDIT_ARCH_ARM, func(n on) int { return n.arm }, false},
}

// hostMachine returns the machine of this program.
func hostMachine() (machine, error) {
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
	actionAllow = uint32(unix.SECCOMP_RET_ALLOW)
	actionKill  = uint32(unix.SECCOMP_RET_KILL_PROCESS)
	actionAsk   = uint32(unix.SECCOMP_RET_USER_NOTIF)
	x32Bit      = 0x40000000
)

// actionErrno returns the action that refuses a call with an errno; 0 is EPERM.
func actionErrno(errno uint32) uint32 {
	if errno == 0 {
		errno = uint32(unix.EPERM)
	}
	return unix.SECCOMP_RET_ERRNO | errno
}

// assembleFilter makes the BPF filter of a role for a machine.
//
// A refused call returns an errno and does not kill the process, so that the
// walls can be measured by trying, on the device, at every start.
// SECCOMP_RET_KILL_PROCESS is for calls that kerb's code cannot make: through
// the entry of another architecture or through x32.
func assembleFilter(m machine, g grant, pid uint32) []unix.SockFilter {
	p := program{
		loadWord(offArch),
		jumpIf(unix.BPF_JEQ, m.audit, 1, 0),
		returnAction(actionKill),
		loadWord(offNr),
	}
	if m.x32 {
		p = append(p, jumpIf(unix.BPF_JGE, x32Bit, 0, 1), returnAction(actionKill))
	}
	rest := actionErrno(0)
	if g&keeping != 0 {
		rest = actionAllow
	}
	for _, c := range calls {
		if nr := m.nr(c.nr); nr != none {
			p = append(p, c.assembleCall(uint32(nr), g, pid)...)
		}
	}
	return append(p, returnAction(rest))
}

// assembleCall returns the instructions of a row, or none where they would
// repeat the end of the filter.
func (c call) assembleCall(nr uint32, g grant, pid uint32) program {
	if g&keeping != 0 && len(c.may) != 0 || g&keeping == 0 && !c.isGranted(g) && c.as == 0 {
		return nil
	}
	var body program
	open := false // after a rule without tests, further rules are not reached
	for _, r := range c.may {
		if r.to&g != 0 && !open {
			body = append(body, r.assembleRule(pid)...)
			open = len(r.when) == 0
		}
	}
	if !open {
		body = append(body, returnAction(actionErrno(c.as)))
	}
	return append(program{jumpIf(unix.BPF_JEQ, nr, 0, uint8(len(body)))}, body...)
}

// isGranted reports whether one of the grants allows the call in some form.
func (c call) isGranted(g grant) bool {
	for _, r := range c.may {
		if r.to&g != 0 {
			return true
		}
	}
	return false
}

// assembleRule allows the call when all tests hold, and falls through
// otherwise.
func (r rule) assembleRule(pid uint32) program {
	p := program{returnAction(actionAllow)}
	if r.once {
		p = program{returnAction(actionAsk)}
	}
	for i := len(r.when) - 1; i >= 0; i-- {
		t := r.when[i]
		p = append(t.assembleTest(pid, uint8(len(p))), p...)
	}
	return p
}

// assembleTest continues when the test holds, and otherwise jumps over the rest
// of the rule, skip instructions.
func (t test) assembleTest(pid uint32, skip uint8) program {
	values := t.is
	if values == nil {
		values = []uint32{pid}
	}
	n := uint8(len(values))
	low := program{loadWord(offArgs + 8*uint32(t.arg))}
	if t.mask != every {
		low = append(low, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: t.mask})
	}
	for i, v := range values {
		miss := uint8(0)
		if i == len(values)-1 {
			miss = skip
		}
		low = append(low, jumpIf(unix.BPF_JEQ, v, n-1-uint8(i), miss))
	}
	high := program{
		loadWord(offArgs + 8*uint32(t.arg) + 4),
		jumpIf(unix.BPF_JEQ, 0, 0, uint8(len(low))+skip),
	}
	return append(high, low...)
}

// program is a sequence of BPF instructions.
type program = []unix.SockFilter

// loadWord loads 32 bits of struct seccomp_data at an offset.
func loadWord(at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
}

// jumpIf compares the accumulator with k and jumps over yes or no instructions.
func jumpIf(how uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | how | unix.BPF_K, K: k, Jt: yes, Jf: no}
}

// returnAction ends the filter with an action.
func returnAction(k uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k}
}
