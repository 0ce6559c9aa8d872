package ipc

import (
	"fmt"
	"slices"
)

// SpoolFound tells the supervisor, for the audit log, that the uplink found its spool
// other than the last orderly end left it.
type SpoolFound struct {
	Reason      uint8  // see StartNumber
	Lost        uint64 // windows whose numbers were given and that are in no file
	Undelivered uint64 // windows that the broker had not acknowledged, as far as is known
}

func (*SpoolFound) recordKind() byte { return 15 }

func (m *SpoolFound) walkFields(p *cursor) {
	p.walkUint8(&m.Reason)
	walk64(p, &m.Lost)
	walk64(p, &m.Undelivered)
}

func (m *SpoolFound) checkRanges() error {
	if StartWord(m.Reason) == "" {
		return fmt.Errorf("a spool found for the reason %d", m.Reason)
	}
	return nil
}

// startWords returns the words of package store for how a spool was found; the place
// of a word is its number.
func startWords() []string {
	return []string{
		"", "boot", "damaged", "deleted", "foreign", "machine_changed", "renamed", "restored", "touched", "unclean_end", "unknown_end",
	}
}

// StartWord returns how the spool was found, as the audit log and the event epoch
// name it; "" for an unknown number.
func StartWord(n uint8) string {
	if words := startWords(); int(n) < len(words) {
		return words[n]
	}
	return ""
}

// StartNumber returns the number of a word, 0 for an unknown one.
func StartNumber(word string) uint8 { return uint8(max(slices.Index(startWords(), word), 0)) }
