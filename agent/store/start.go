package store

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// The reasons for which Open begins a new epoch.
const (
	startRenamed  = "renamed"         // the device has another name
	startMachine  = "machine_changed" // the spool was written on another machine
	startForeign  = "foreign"         // the spool was another device's, and was put aside
	startDeleted  = "deleted"         // there was a spool, and the file is gone
	startDamaged  = "damaged"         // the file was not readable, and was put aside
	startRestored = "restored"        // the spool went back in time: a copy, or a card that lost writes
	startUnclean  = "unclean_end"     // the spool was not closed
	startTouched  = "touched"         // the file was copied or changed after its end, and lacks no number that is known
	startBoot     = "boot"            // another boot: a card that was restored as a whole cannot be told from it
	startUnknown  = "unknown_end"     // no witness beside the spool: it was deleted, or kerb was updated
)

// StartReasons returns all reasons of a Start but "".
func StartReasons() []string {
	return []string{
		startBoot, startDamaged, startDeleted, startForeign, startMachine, startRenamed, startRestored, startTouched, startUnclean, startUnknown,
	}
}

// Start tells how the spool was found when it was opened.
type Start struct {
	Reason      string      // why a new epoch begins, a word; "" where the old one goes on
	Previous    string      // the epoch before; "" if none is known
	Lost        []Tombstone // windows whose numbers were given and that are in no file
	Undelivered uint64      // windows that the broker had not acknowledged, when this was last written down; 0 unless windows are lost
	Kept        string      // where a damaged or foreign file lies now
	Refused     int         // records that are not this device's, or were changed, and were put aside: see Sealed
}

// LostWindows returns the number of windows in Lost.
func (s Start) LostWindows() (n uint64) {
	for _, t := range s.Lost {
		n += t.To - t.From + 1
	}
	return n
}

// Start returns how the spool was found when it was opened.
func (s *Store) Start() Start { return s.start }

// continueNumbers decides whether the open epoch goes on, and begins a new one where
// it cannot be shown that its numbers are the last ones given. created is the reason
// for which the file is new; "" where it was there. Where it goes on, the witness is
// changed first: after a crash, events of which the file knows nothing have numbers.
func (s *Store) continueNumbers(created, kept string) {
	w := readWitness(s.path)
	if w != nil && w.Spool == s.foreign {
		w = nil // it came with the spool of the other device
	}
	var lost []epochEnd
	if w != nil {
		lost = s.st.lostSince(w)
	}
	s.start = Start{Reason: s.judgeStart(w, created, len(lost) > 0), Kept: kept, Refused: s.start.Refused}
	if s.start.Reason == "" && created == "" && s.writeWitness(false) != nil {
		s.start.Reason = startUnknown
	}
	s.witnessAt = time.Time{} // the first window that is stored writes it again
	if s.start.Reason != "" {
		s.beginEpoch(w, lost, created != "")
	}
	if s.machine != "" && s.st.Machine != s.machine || s.device != "" && s.st.Device != s.device {
		s.dirty = true
	}
	if s.machine != "" {
		s.st.Machine = s.machine
	}
	if s.device != "" {
		s.st.Device = s.device
	}
}

// judgeStart returns the reason for a new epoch; "" where the old one goes on.
func (s *Store) judgeStart(w *witness, created string, lost bool) string {
	boot, _ := s.stamp()
	switch {
	case created != "" && w == nil && created == startDeleted:
		return "" // the first start
	case created != "":
		return created
	case s.machine != "" && s.st.Machine != "" && s.st.Machine != s.machine:
		return startMachine
	case s.device != "" && s.st.Device != "" && s.st.Device != s.device:
		return startRenamed
	case w == nil:
		return startUnknown
	case lost:
		return startRestored
	case w.File == "" || w.last() != s.st.Last || w.Spool != s.st.Spool:
		return startUnclean
	case w.Boot != boot:
		return startBoot
	case w.File != s.identify(s.path):
		return startTouched
	}
	return ""
}

// beginEpoch begins a new epoch for the reason of the start, with an event and
// tombstones. created says that the account is new, and so is its epoch.
func (s *Store) beginEpoch(w *witness, lost []epochEnd, created bool) {
	reason := s.start.Reason
	previous := ""
	if !created {
		previous = s.st.Epoch
		s.st.endOpenEpoch() // before the events, which carry the new epoch
		s.st.Spool = newUUID()
	}
	if w != nil && (created || len(lost) > 0) {
		previous = w.Epochs[len(w.Epochs)-1].Epoch
	}
	if len(lost) > 0 {
		s.start.Undelivered = w.Undelivered
		why := reason
		if why == startMachine || why == startRenamed {
			why = startRestored
		}
		s.start.Lost = s.st.accountLost(lost, why, s.now())
	}
	s.start.Previous = previous
	last := map[string]uint64{}
	if p := s.st.pastEpoch(previous); p != nil {
		last = maps.Clone(p.Last)
	}
	data := map[string]any{"epoch": s.st.Epoch, "reason": reason, "last": last}
	if previous != "" {
		data["previous"] = previous
	}
	if len(lost) > 0 {
		data["undelivered"] = s.start.Undelivered
	}
	s.addNote("epoch", data)
}

// isAnotherDevices reports whether the spool was written by a device of another name
// on another machine. Either alone is a device that was renamed, or a card that was
// moved: its windows are of this street, and are still sent.
func (s *Store) isAnotherDevices() bool {
	return s.device != "" && s.st.Device != "" && s.st.Device != s.device &&
		(s.machine == "" || s.st.Machine != s.machine)
}

// setForeignAside puts the open spool of another device aside and creates a new one.
// It returns the new name of the old file.
func (s *Store) setForeignAside() (kept string, err error) {
	from := s.st.Device
	s.foreign = s.st.Spool
	if err := s.db.Close(); err != nil {
		return "", err
	}
	s.db = nil
	if kept, err = quarantineFile(s.path, "foreign"); err != nil {
		return "", err
	}
	if err := s.loadFile(); err != nil {
		return "", fmt.Errorf("after the spool of %s was put aside: %w", from, err)
	}
	s.addNote("spool_foreign", map[string]any{"device": from, "kept": kept})
	return kept, nil
}

// sortedKeys returns the keys of m in ascending order.
func sortedKeys(m map[string]uint64) []string { return slices.Sorted(maps.Keys(m)) }
