package relay

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"kerb/agent/uplink"
)

// positionFile is the relay's own file, below Opts.Dir.
const positionFile = "relay.db"

// The buckets of the position.
var (
	aboutBucket  = []byte("about")  // "id", "purpose"
	metaBucket   = []byte("meta")   // tenant/site/device → meta message
	queueBucket  = []byte("queue")  // place → window that the sink does not have
	refusedInBox = []byte("parked") // place → window that the sink refused for its content
	spacesBucket = []byte("spaces") // tenant/site/device epoch stream → tracking
	daysBucket   = []byte("days")   // day tenant/site/device/stream → day
	filesBucket  = []byte("files")  // name of a file that grows → its length at the last commit
	toldBucket   = []byte("told")   // topic of a retained message that the relay published → SHA-256
	marksBucket  = []byte("marks")  // day tenant/site/device/stream epoch → marks of windows
	clashBucket  = []byte("clash")  // n → Clash
	eventsBucket = []byte("events") // tenant/site/device kind … → Told
)

// position is the bbolt file: messages taken from the broker, windows the sink has, and the
// ledger. Its methods may be called from several goroutines.
type position struct{ *bolt.DB }

// errOtherPurpose reports a position that was made for another format or sink.
var errOtherPurpose = errors.New("belongs to another -to or -out: each needs a folder of its own (-state)")

// openPosition opens or makes the file. It returns an error where another process has
// it, and where it was made for another purpose.
func openPosition(path, purpose string, now time.Time) (*position, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%s: another kerb relay uses it", path)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, b := range [][]byte{aboutBucket, metaBucket, queueBucket, refusedInBox, spacesBucket, daysBucket, filesBucket, toldBucket, marksBucket, clashBucket, eventsBucket} {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		about := tx.Bucket(aboutBucket)
		if was := about.Get([]byte("purpose")); was != nil && string(was) != purpose {
			return fmt.Errorf("%s: %w", path, errOtherPurpose)
		}
		if about.Get([]byte("id")) == nil {
			id := make([]byte, 4)
			_, _ = rand.Read(id) // never fails
			if err := about.Put([]byte("id"), []byte(hex.EncodeToString(id))); err != nil {
				return err
			}
		}
		if err := about.Put([]byte("purpose"), []byte(purpose)); err != nil {
			return err
		}
		if err := startMarks(tx, now); err != nil {
			return err
		}
		l := newLedgerTx(tx, now)
		if err := errors.Join(countWaiting(l), unpark(l)); err != nil {
			return err
		}
		return l.write()
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &position{db}, nil
}

// unpark puts the windows that the sink refused back into the queue: the sink, or what
// is sent to it, may be another one after a start.
func unpark(l *ledgerTx) error {
	parked := l.tx.Bucket(refusedInBox)
	for k, v := parked.Cursor().First(); k != nil; k, v = parked.Cursor().First() {
		if err := moveQueued(l, refusedInBox, queueBucket, k, v); err != nil {
			return err
		}
	}
	return nil
}

// readPosition opens the file for reading, as while no relay runs.
func readPosition(path string) (*position, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &position{db}, nil
}

func (p *position) close() error { return p.Close() }

// id returns eight random hexadecimal digits that name the position.
func (p *position) id() (id string) {
	_ = p.View(func(tx *bolt.Tx) error {
		id = string(tx.Bucket(aboutBucket).Get([]byte("id")))
		return nil
	})
	return id
}

// space is a number space: one stream of one device in one epoch.
type space struct {
	uplink.Address
	Epoch, Stream string
}

func (s space) key() []byte { return []byte(s.Address.String() + " " + s.Epoch + " " + s.Stream) }

// parseSpace parses the key of a space.
func parseSpace(key []byte) (s space, ok bool) {
	f := strings.Split(string(key), " ")
	if len(f) != 3 {
		return s, false
	}
	s.Address, ok = uplink.ParseAddress(f[0])
	s.Epoch, s.Stream = f[1], f[2]
	return s, ok
}

// tracking is the account of one number space.
type tracking struct {
	Got       spans            `json:"got"`                 // taken from the broker
	Done      spans            `json:"done"`                // the sink has them, or they are not for it
	Gone      map[string]spans `json:"gone,omitempty"`      // by reason: the device has them no longer
	Last      uint64           `json:"last,omitempty"`      // last number that the device says it gave
	Confirmed uint64           `json:"confirmed,omitempty"` // watermark that the device answered
	Left      spans            `json:"left,omitempty"`      // not taken when they came, because too much waited
	Twice     uint64           `json:"twice,omitempty"`     // windows that came again
	Clashes   uint64           `json:"clashes,omitempty"`   // of these, with other bytes
	Asked     uint64           `json:"asked,omitempty"`     // questions that were sent for missing windows
	Refused   string           `json:"refused,omitempty"`   // the device's answer to the last question, where it was no
	Next      string           `json:"next,omitempty"`      // the epoch that followed
	At        int64            `json:"at"`                  // when something last changed, Unix seconds
}

// lost returns the numbers that the device has no longer.
func (t *tracking) lost() (all spans) {
	for _, s := range t.Gone {
		all = all.union(s)
	}
	return all
}

// missing returns the numbers that were given, are not here and may still be had.
func (t *tracking) missing() spans {
	have := t.Got.union(t.lost())
	return have.missing(max(t.Last, t.Got.last()))
}

// watermark returns the last number up to which the sink has every window that there is.
func (t *tracking) watermark() uint64 { return min(t.Done.union(t.lost()).prefix(), t.Done.last()) }

// ledgerTx is one transaction with the records that it has read, which are written once.
type ledgerTx struct {
	tx     *bolt.Tx
	spaces map[space]*tracking
	days   map[string]*day
	metas  map[uplink.Address]*meta
	marks  map[string][]byte
	now    time.Time
	sites  bool // a meta came, changed or went

	waiting, wasWaiting waitingCount
	keptSince           string // first day of which nothing was deleted for its age
}

func newLedgerTx(tx *bolt.Tx, now time.Time) *ledgerTx {
	w := readWaiting(tx)
	return &ledgerTx{
		tx: tx, spaces: map[space]*tracking{}, days: map[string]*day{}, metas: map[uplink.Address]*meta{}, marks: map[string][]byte{},
		now: now, waiting: w, wasWaiting: w,
	}
}

// update runs f in one synced transaction.
func (p *position) update(now time.Time, f func(*ledgerTx) error) error {
	return p.Update(func(tx *bolt.Tx) error {
		l := newLedgerTx(tx, now)
		if err := f(l); err != nil {
			return err
		}
		return l.write()
	})
}

// write writes the records that were read.
func (l *ledgerTx) write() error {
	for s, t := range l.spaces {
		if err := putJSON(l.tx.Bucket(spacesBucket), s.key(), t); err != nil {
			return err
		}
	}
	for k, d := range l.days {
		if err := putJSON(l.tx.Bucket(daysBucket), []byte(k), d); err != nil {
			return err
		}
	}
	for k, b := range l.marks {
		if len(b) > 0 {
			if err := l.tx.Bucket(marksBucket).Put([]byte(k), b); err != nil {
				return err
			}
		}
	}
	if l.waiting == l.wasWaiting {
		return nil
	}
	return putJSON(l.tx.Bucket(aboutBucket), waitingKey, l.waiting)
}

// space returns the account of a number space, empty for a new one.
func (l *ledgerTx) space(s space) (*tracking, error) {
	if t := l.spaces[s]; t != nil {
		return t, nil
	}
	t := &tracking{}
	if v := l.tx.Bucket(spacesBucket).Get(s.key()); v != nil {
		if err := json.Unmarshal(v, t); err != nil {
			return nil, fmt.Errorf("position: %s: %w", s.key(), err)
		}
	}
	t.At = l.now.Unix()
	l.spaces[s] = t
	return t, nil
}

// meta returns what a device declares, nil where it has not yet.
func (l *ledgerTx) meta(a uplink.Address) *meta {
	if m, ok := l.metas[a]; ok {
		return m
	}
	m := readMeta(l.tx, a)
	l.metas[a] = m
	return m
}

// readMeta reads the meta of a device, nil where there is none.
func readMeta(tx *bolt.Tx, a uplink.Address) *meta {
	m := &meta{}
	if v := tx.Bucket(metaBucket).Get([]byte(a.String())); v == nil || json.Unmarshal(v, m) != nil {
		return nil
	}
	return m
}

// allMetas returns what all devices declare, in the order of their addresses.
func (p *position) allMetas() (all []*meta) {
	_ = p.View(func(tx *bolt.Tx) error {
		return tx.Bucket(metaBucket).ForEach(func(_, v []byte) error {
			m := &meta{}
			if json.Unmarshal(v, m) == nil {
				all = append(all, m)
			}
			return nil
		})
	})
	return all
}

func placeKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func putJSON(b *bolt.Bucket, key []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(key, raw)
}

// deleteBefore deletes days that began before t, and number spaces in which nothing
// changed since. What has a window that waits stays.
func (p *position) deleteBefore(t time.Time) error {
	return p.Update(func(tx *bolt.Tx) error {
		if err := deleteTold(tx, t); err != nil {
			return err
		}
		first := []byte(t.UTC().Format(time.DateOnly))
		for _, bucket := range [][]byte{daysBucket, marksBucket} {
			c := tx.Bucket(bucket).Cursor()
			for k, v := c.First(); k != nil && bytes.Compare(k[:min(len(k), len(first))], first) < 0; k, v = c.Next() {
				var d day
				if bytes.Equal(bucket, daysBucket) && json.Unmarshal(v, &d) == nil && d.Waiting+d.Refused > 0 {
					continue
				}
				if err := c.Delete(); err != nil {
					return err
				}
			}
		}
		c := tx.Bucket(spacesBucket).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			var old tracking
			if json.Unmarshal(v, &old) == nil && old.At < t.Unix() && old.Got.size() == old.Done.size() {
				if err := c.Delete(); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
