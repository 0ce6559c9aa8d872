package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// HeadSuffix ends the name of the file with the last head, after the name of the log's
// directory. The file lies beside the directory, so that a device notices by itself when
// entries were cut off or the whole log was deleted. If both are deleted,
// only the head in the state message shows it.
const HeadSuffix = "-head.json"

// Cut is a finding that entries of the log are gone: they were cut off or changed, or the
// log was deleted.
type Cut struct {
	Had   uint64 `json:"had"`   // number of the last entry that the device wrote; 0: the file with it cannot be read
	Found uint64 `json:"found"` // number of the last entry that was there; Had or more: an entry was changed
}

// String describes the missing entries in one line.
func (c Cut) String() string {
	switch {
	case c.Had == 0:
		return "the file with the last head of the audit log could not be read"
	case c.Found >= c.Had:
		return fmt.Sprintf("an entry of the audit log was changed, up to number %d", c.Had)
	}
	return fmt.Sprintf("the audit log lacks the entries %d to %d, which were written", c.Found+1, c.Had)
}

// keptHead is the content of the file beside the log.
type keptHead struct {
	Head
	Untold *Cut `json:"untold,omitempty"` // a finding that no event was stored of
}

// UntoldCut returns the last finding that no event was stored of: that of Open, or of an
// earlier Open before which the device ended, or of another command. nil: there is none.
func (l *Log) UntoldCut() *Cut {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.untold
}

// MarkCutTold ends UntoldCut, after the event was stored.
func (l *Log) MarkCutTold() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.untold = nil
	return l.keepHead()
}

// keepHead writes the head beside the log: a new file, synced and renamed.
func (l *Log) keepHead() error {
	b, err := json.Marshal(keptHead{l.head, l.untold})
	if err != nil {
		return err
	}
	path := filepath.Clean(l.dir) + HeadSuffix
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// checkKeptHead compares the log with the head that was kept beside it, and writes an
// entry "cut" where the log does not hold it any more: entries were cut off or changed,
// or the log was deleted. The chain goes on from the last entry that is there, and UntoldCut returns the
// finding. An entry before the first head was kept is not missed.
func (l *Log) checkKeptHead() error {
	b, err := readPlain(filepath.Clean(l.dir) + HeadSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var kept keptHead
	if err != nil || json.Unmarshal(b, &kept) != nil || kept.Seq == 0 {
		l.untold = &Cut{Found: l.head.Seq}
		return l.appendEntry("cut", map[string]any{"why": "the head beside the log cannot be read"})
	}
	l.untold = kept.Untold
	sum := l.head.Sum
	if l.head.Seq > kept.Seq {
		sum, _ = FindSum(l.dir, kept.Seq) // "" where it is gone
	}
	if l.head.Seq >= kept.Seq && sum == kept.Sum {
		return nil
	}
	l.untold = &Cut{kept.Seq, l.head.Seq}
	return l.appendEntry("cut", map[string]any{"had": kept.Head, "found": l.head})
}
