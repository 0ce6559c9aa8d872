package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	witnessSuffix   = ".witness"
	witnessFormat   = "kerb.witness/1"
	witnessInterval = time.Hour // between two writes of the witness while the spool is open. Chosen by hand
)

// witness is the content of the file path.witness: which numbers the spool has
// given, told beside the spool. It shows at the next start whether the spool is the
// one that ended last. Numbers are continued only where everything agrees; all else
// costs a new epoch, so no number is given twice.
//
// The time of change that the file system keeps for the spool (st_ctime) cannot be
// set by a program: it tells a copy from the original. A whole card that was
// restored brings its times along, and that needs a boot: each boot begins a new
// epoch.
type witness struct {
	Format      string     `json:"format"`
	Spool       string     `json:"spool"`          // state.Spool
	Epochs      []epochEnd `json:"epochs"`         // that the account knew, the open one last
	Undelivered uint64     `json:"undelivered"`    // windows
	Boot        string     `json:"boot,omitempty"` // UUID of the boot
	File        string     `json:"file,omitempty"` // identity of the spool after an orderly end; empty while it is open
}

// last returns the order of the last window that the witness knows.
func (w *witness) last() uint64 { return w.Epochs[len(w.Epochs)-1].Order }

// readWitness reads the witness of the spool at path; nil where there is none that
// can be read.
func readWitness(path string) *witness {
	var w witness
	b, err := os.ReadFile(path + witnessSuffix)
	if err != nil || json.Unmarshal(b, &w) != nil || w.Format != witnessFormat || len(w.Epochs) == 0 {
		return nil
	}
	return &w
}

// writeWitness writes the witness; with ended the spool is closed. A witness that
// cannot be written costs a new epoch at the next start, so a caller may ignore the
// error.
func (s *Store) writeWitness(ended bool) error {
	boot, _ := s.stamp()
	w := witness{
		Format: witnessFormat, Spool: s.st.Spool, Undelivered: s.st.Pending.total(), Boot: boot,
		Epochs: append(slices.Clone(s.st.Past), epochEnd{s.st.Epoch, s.st.Seq, s.st.Last}),
	}
	if ended {
		w.File = s.identify(s.path)
	}
	s.witnessAt = time.Now()
	b, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return replaceFile(s.path+witnessSuffix, b)
}

// replaceFile replaces a file so that a power cut leaves the old or the new one. The
// walls of the uplink process allow it no fchmod(2), which state.Replace calls, and
// open a new file for reading and writing only.
func replaceFile(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(path)
}

// identifyFile returns device, inode, time of change and size of a file; "" where
// it cannot be read.
func identifyFile(path string) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return ""
	}
	return fmt.Sprintf("%d %d %d %d", st.Dev, st.Ino, st.Ctim.Nano(), st.Size)
}

// lostSince returns the numbers that w knows to be given and the account does not,
// by epoch: those of windows that are in no file. A spool that went back in time
// lacks the numbers given after the order at which it stands.
func (st *state) lostSince(w *witness) (lost []epochEnd) {
	for _, e := range w.Epochs {
		if w.Spool == st.Spool && e.Order <= st.Last {
			continue
		}
		var known map[string]uint64
		if e.Epoch == st.Epoch {
			known = st.Seq
		} else if p := st.pastEpoch(e.Epoch); p != nil {
			known = p.Last
		}
		for stream, n := range e.Last {
			if n > known[stream] {
				lost = append(lost, e)
				break
			}
		}
	}
	return lost
}

// accountLost adds the epochs that the spool lost, which have all ended, to the
// account, with tombstones for their windows.
func (st *state) accountLost(lost []epochEnd, reason string, at time.Time) (tombs []Tombstone) {
	for _, e := range lost {
		var known map[string]uint64
		if p := st.pastEpoch(e.Epoch); p != nil {
			known, p.Last = p.Last, higherOf(p.Last, e.Last)
		} else {
			st.endEpoch(epochEnd{e.Epoch, e.Last, st.Last})
		}
		for _, stream := range sortedKeys(e.Last) {
			if n := e.Last[stream]; n > known[stream] {
				tombs = append(tombs, Tombstone{e.Epoch, stream, known[stream] + 1, n, reason})
			}
		}
	}
	for _, t := range tombs {
		st.Tombs = append(st.Tombs, t)
		st.addNote("evicted", at, map[string]any{"epoch": t.Epoch, "stream": t.Stream, "from": t.From, "to": t.To, "reason": reason})
	}
	st.Tombs = st.Tombs[max(0, len(st.Tombs)-maxTombs):]
	return tombs
}

// higherOf returns the higher number of each stream.
func higherOf(a, b map[string]uint64) map[string]uint64 {
	out := maps.Clone(a)
	for stream, n := range b {
		out[stream] = max(out[stream], n)
	}
	return out
}
