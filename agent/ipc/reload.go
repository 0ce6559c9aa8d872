package ipc

import (
	"fmt"
	"slices"
)

// Reload reports to the uplink whether files that the agent read anew (SIGHUP) were taken or
// refused: for the event reload.
type Reload struct {
	N    uint64 // number in the supervisor's queue
	Why  uint8  // place of the reason in ReloadWords; 0: the files are taken
	File uint8  // place of the file in ReloadFiles
	Line uint32 // of the first mistake; 0: no line
}

func (*Reload) recordKind() byte { return 30 }

func (m *Reload) walkFields(p *cursor) {
	walk64(p, &m.N)
	p.walkUint8(&m.Why, &m.File)
	p.walkUint32(&m.Line)
}

func (m *Reload) checkRanges() error {
	if int(m.Why) >= len(ReloadWords()) || int(m.File) >= len(ReloadFiles()) {
		return fmt.Errorf("a reload with reason %d in file %d", m.Why, m.File)
	}
	return nil
}

// ReloadWords returns the reasons for which changed files are refused, "" for none. They are
// words of the event want, and unchecked: kerb check did not answer. The text of a mistake
// stays on the device: parts of it come from the file.
func ReloadWords() []string {
	return []string{"", "mistakes", "forbidden", "policy_refused", "unchecked"}
}

// ReloadFiles returns the names of the files, "" where a reason is that of both.
func ReloadFiles() []string { return []string{"", "site", "policy"} }

// ReloadNumber returns the place of a reason, that of "unchecked" for an unknown one.
func ReloadNumber(word string) uint8 {
	if i := slices.Index(ReloadWords(), word); i > 0 {
		return uint8(i)
	}
	return uint8(len(ReloadWords()) - 1)
}
