package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A window that comes again has the same bytes. Other bytes under one key are two devices
// that publish as one: a clone, or a card that was restored from a copy. The relay keeps the
// first window, and of each window four bytes of its SHA-256 (a mark), per day and number
// space, to find out about the second.

// markSize is the size of a mark: the low half of the number, and the digest.
const markSize = 4 + 4

// sinceKey is the key in the bucket about of the first day (YYYY-MM-DD) of which all marks are here.
var sinceKey = []byte("marks_since")

// markOf returns the mark of a window.
func markOf(w *window, raw []byte) []byte {
	sum := sha256.Sum256(bytes.TrimSpace(raw))
	return append(binary.BigEndian.AppendUint32(nil, uint32(w.Seq)), sum[:4]...)
}

func markKey(w *window) string { return dayKey(w) + " " + w.Epoch }

// marksOf returns the marks of the day and number space of a window.
func (l *ledgerTx) marksOf(key string) []byte {
	b, ok := l.marks[key]
	if !ok {
		b = bytes.Clone(l.tx.Bucket(marksBucket).Get([]byte(key)))
		l.marks[key] = b
	}
	return b
}

// addMark keeps the mark of a window that is new.
func (l *ledgerTx) addMark(w *window, raw []byte) {
	key := markKey(w)
	l.marks[key] = append(l.marksOf(key), markOf(w, raw)...)
}

// clashes reports whether a window whose number is here has other bytes than the first of
// this number. A number that is not among those of its day belonged to another day, where
// the marks of that day are complete.
func (l *ledgerTx) clashes(w *window, raw []byte) bool {
	all, mark := l.marksOf(markKey(w)), markOf(w, raw)
	for ; len(all) >= markSize; all = all[markSize:] {
		if bytes.Equal(all[:4], mark[:4]) {
			return !bytes.Equal(all[:markSize], mark)
		}
	}
	since := l.tx.Bucket(aboutBucket).Get(sinceKey)
	day := []byte(w.Start.UTC().Format(time.DateOnly))
	return bytes.Compare(day, since) >= 0 && bytes.Compare(day, []byte(l.keptSince)) >= 0
}

// startMarks notes from which day on all marks are here: all, in a new position; else from
// tomorrow on.
func startMarks(tx *bolt.Tx, now time.Time) error {
	about := tx.Bucket(aboutBucket)
	if about.Get(sinceKey) != nil {
		return nil
	}
	since := "0"
	if k, _ := tx.Bucket(spacesBucket).Cursor().First(); k != nil {
		since = now.Add(24 * time.Hour).UTC().Format(time.DateOnly)
	}
	return about.Put(sinceKey, []byte(since))
}

// Clash is a window that came again with other bytes, and was left out.
type Clash struct {
	Tenant string    `json:"tenant"`
	Site   string    `json:"site"`
	Device string    `json:"device"`
	Stream string    `json:"stream"`
	Epoch  string    `json:"epoch"`
	Seq    uint64    `json:"seq"`
	Start  time.Time `json:"start"` // of the window that was left out
	At     time.Time `json:"at"`    // when it came
}

// keptClashes bounds the list of clashes: the last ones are kept. Rows count all of them.
const keptClashes = 1000

// takeClash accounts for a window with other bytes. The first of each number space is logged.
func (r *Relay) takeClash(l *ledgerTx, w *window, t *tracking) error {
	if t.Clashes == 0 {
		r.log.Error("relay: a window came again with other bytes, and is left out: two devices publish as one, or a card was restored from a copy",
			"device", w.address().String(), "stream", w.Stream, "epoch", w.Epoch, "seq", w.Seq, "do", "find the second device; the ledger lists the windows")
	}
	t.Clashes++
	d, err := l.day(dayKey(w))
	if err != nil {
		return err
	}
	d.Clashes++
	b := l.tx.Bucket(clashBucket)
	n, err := b.NextSequence()
	if err != nil {
		return err
	}
	if n > keptClashes {
		if err := b.Delete(placeKey(n - keptClashes)); err != nil {
			return err
		}
	}
	return putJSON(b, placeKey(n), Clash{w.Tenant, w.Site, w.Device, w.Stream, w.Epoch, w.Seq, w.Start, l.now.UTC().Truncate(time.Second)})
}

// readClashes returns the kept clashes whose windows began on a day; "": all.
func readClashes(tx *bolt.Tx, day string) (all []Clash) {
	_ = tx.Bucket(clashBucket).ForEach(func(_, v []byte) error {
		var c Clash
		if json.Unmarshal(v, &c) == nil && (day == "" || c.Start.UTC().Format(time.DateOnly) == day) {
			all = append(all, c)
		}
		return nil
	})
	return all
}
