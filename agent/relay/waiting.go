package relay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"kerb/agent/uplink"
)

// The bounds of windows that the sink does not have. 11,000 devices with four streams and
// windows of a quarter of an hour make 19 GiB in a week (TestWhatAWeekOfWaitingWindowsTakes).
const (
	defaultMostWaiting = 20 << 30
	resumeShare        = 0.75    // of the bound: below it windows are asked for again
	leastFree          = 1 << 30 // bytes of the disk under the position, chosen by hand
	queueFill          = 0.95    // of a page of the queue, which only grows at its end (bbolt: 0.5)
)

// waitingCount is the size of the queue and of the windows that were put aside.
type waitingCount struct {
	Windows int64 `json:"windows"`
	Bytes   int64 `json:"bytes"`
}

// waitingKey is the key of the waitingCount in the bucket about.
var waitingKey = []byte("waiting")

// readWaiting reads the size of what waits.
func readWaiting(tx *bolt.Tx) (c waitingCount) {
	_ = json.Unmarshal(tx.Bucket(aboutBucket).Get(waitingKey), &c)
	return c
}

// enqueue appends a window to the queue of the sink.
func (l *ledgerTx) enqueue(w *window, raw []byte) error {
	q := l.tx.Bucket(queueBucket)
	q.FillPercent = queueFill
	n, err := q.NextSequence()
	if err != nil {
		return err
	}
	if err := q.Put(placeKey(n), raw); err != nil {
		return err
	}
	d, err := l.day(dayKey(w))
	if err != nil {
		return err
	}
	d.Waiting++
	l.waiting.Windows, l.waiting.Bytes = l.waiting.Windows+1, l.waiting.Bytes+int64(len(raw))
	return nil
}

// dequeue removes a window of the queue that the sink has.
func (l *ledgerTx) dequeue(w queued) error {
	d, err := l.day(dayKey(w.window))
	if err != nil {
		return err
	}
	d.Waiting--
	l.waiting.Windows, l.waiting.Bytes = l.waiting.Windows-1, l.waiting.Bytes-int64(w.size)
	return l.tx.Bucket(queueBucket).Delete(placeKey(w.place))
}

// moveQueued moves a window between the queue and those put aside, and counts it there.
func moveQueued(l *ledgerTx, from, to []byte, k, v []byte) error {
	k, v = bytes.Clone(k), bytes.Clone(v)
	if err := l.tx.Bucket(to).Put(k, v); err != nil {
		return err
	}
	if err := l.tx.Bucket(from).Delete(k); err != nil {
		return err
	}
	var w window
	if json.Unmarshal(v, &w) != nil {
		return nil
	}
	d, err := l.day(dayKey(&w))
	if err != nil {
		return err
	}
	n := 1
	if bytes.Equal(to, queueBucket) {
		n = -1
	}
	d.Waiting, d.Refused = d.Waiting-n, d.Refused+n
	return nil
}

// countWaiting counts the windows that wait, in a position of a version that did not.
func countWaiting(l *ledgerTx) error {
	if l.tx.Bucket(aboutBucket).Get(waitingKey) != nil {
		return nil
	}
	l.waiting = waitingCount{}
	for _, bucket := range [][]byte{queueBucket, refusedInBox} {
		err := l.tx.Bucket(bucket).ForEach(func(_, v []byte) error {
			l.waiting.Windows, l.waiting.Bytes = l.waiting.Windows+1, l.waiting.Bytes+int64(len(v))
			var w window
			if json.Unmarshal(v, &w) != nil {
				return nil
			}
			d, err := l.day(dayKey(&w))
			if err != nil {
				return err
			}
			if bytes.Equal(bucket, queueBucket) {
				d.Waiting++
			} else {
				d.Refused++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return putJSON(l.tx.Bucket(aboutBucket), waitingKey, l.waiting)
}

// freeBytes returns the free space under the position; the largest number where that is
// not known.
func freeBytes(dir string) int64 {
	var fs unix.Statfs_t
	if err := unix.Statfs(filepath.Clean(dir), &fs); err != nil {
		return 1 << 62
	}
	return int64(fs.Bavail) * int64(fs.Bsize)
}

// setFull notes whether the bound is reached, before a batch is taken: of the bytes that
// wait, and of the disk.
func (r *Relay) setFull(waiting waitingCount) {
	free := r.free(r.o.Dir)
	r.noDisk = free < leastFree
	full := waiting.Bytes >= r.o.MostWaiting || r.noDisk
	was := r.full.Load()
	if was && !full && float64(waiting.Bytes) > resumeShare*float64(r.o.MostWaiting) {
		return
	}
	r.full.Store(full)
	switch {
	case full && !was:
		r.log.Error("relay: too much waits for the sink: further windows stay at their devices", "windows", waiting.Windows, "bytes", waiting.Bytes,
			"most", r.o.MostWaiting, "disk_free", free, "do", "bring the sink back, or raise -most-waiting; devices keep windows for their policy's retention")
	case was && !full:
		r.log.Warn("relay: windows that stayed at their devices are asked for", "waiting", waiting.Windows)
	}
}

// leaves reports whether a new window is left at its device: the bound is reached, and the
// window can be had again. Others are taken while the disk has room.
func (r *Relay) leaves(l *ledgerTx, a uplink.Address) bool {
	return r.full.Load() && (r.noDisk || l.meta(a).allows(verbResend))
}

// leave accounts for a window that is not taken. It is not acknowledged to its device
// by a watermark, and counts as missing until it is asked for.
func (r *Relay) leave(w *window, t *tracking) {
	t.Last = max(t.Last, w.Seq)
	t.Left.add(span{From: w.Seq, To: w.Seq})
	r.commands.noteSpace(w.space(), t)
}

// WaitingTotal says how much waits for the sink.
type WaitingTotal struct {
	Windows int64 `json:"windows"` // received, not yet at the sink, or put aside
	Bytes   int64 `json:"bytes"`
	Most    int64 `json:"most_bytes,omitempty"` // the bound; absent while no relay runs
	Full    bool  `json:"full"`                 // the bound is reached: further windows stay at their devices
}

// String writes the total for people.
func (w WaitingTotal) String() string {
	text := fmt.Sprintf("%d windows wait for the sink, %.1f MiB", w.Windows, float64(w.Bytes)/(1<<20))
	if w.Most > 0 {
		text += fmt.Sprintf(" of at most %.1f", float64(w.Most)/(1<<20))
	}
	if w.Full {
		text += ": full, further windows stay at their devices"
	}
	return text
}
