// Package audit keeps an account of what was done to a device: an append-only
// log in which every line holds the SHA-256 of the line before it. Whoever has
// seen the head once can tell later whether anything up to there was changed.
//
// It is about the device and its rules, never about the street: no count and
// no picture has a place in it. It does not keep anybody with the rights of
// root from writing the whole log anew; it makes that show, because the head
// is in the state message, and so out of the device, at least once a day.
//
// The log is a directory of files, each named by the first number in it. The
// oldest go when there are more than a few; the chain goes on from file to
// file. A line is synced before Append returns.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// ErrInUse is a log that another process writes.
var ErrInUse = errors.New("in use by another process")

// Head is the last entry's number and sum; zero for an empty log.
type Head struct {
	Seq uint64 `json:"seq"`
	Sum string `json:"sum"`
}

// The bounds: a device writes a few entries a day, so this is years.
const (
	fileBytes = 256 << 10
	keptFiles = 4
)

// Log is an open log. Its methods may be called from several goroutines.
type Log struct {
	dir  string
	now  func() (time.Time, bool)
	lock *os.File // the directory: one writer

	mu    sync.Mutex
	file  *os.File // the newest; nil before the first entry
	size  int64    // of it, up to its last whole line
	limit int64
	head  Head
	clean bool // nothing lies behind size
}

// Open opens the log in dir, or makes one. Now tells the time and whether it
// can be believed. What a power cut left of a line is cut off and the log says
// so; any other damage is left as it is, for Verify to find.
func Open(dir string, now func() (time.Time, bool)) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	lock, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	l := &Log{dir: dir, now: now, lock: lock, limit: fileBytes, clean: true}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("open the audit log: %w", errors.Join(ErrInUse, err))
		return nil, errors.Join(err, lock.Close())
	}
	if err := l.resume(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the audit log: %w", err), l.Close())
	}
	return l, nil
}

// Close lets others write. Nothing is lost without it.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.lock.Close()
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
		l.file = nil
	}
	return err
}

// Head is where the log stands.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Append writes one entry and returns when it is on the disk. Kind is a word
// of a–z and _; data is anything that JSON can hold, or nil.
func (l *Log) Append(kind string, data any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(kind, data)
}

func (l *Log) append(kind string, data any) error {
	at, synced := l.now()
	e := Entry{Seq: l.head.Seq + 1, At: at.UTC().Truncate(time.Millisecond), Synced: synced, Kind: kind, Prev: l.head.Sum}
	if e.Prev == "" {
		e.Prev = genesis
	}
	if data != nil {
		b, err := json.Marshal(data)
		if err != nil {
			return fmt.Errorf("audit %s: %w", kind, err)
		}
		e.Data = b
	}
	if !isWord(kind) {
		return fmt.Errorf("audit %q: a kind is a word of a–z and _", kind)
	}
	b, sum, err := e.line()
	if err != nil {
		return fmt.Errorf("audit %s: %w", kind, err)
	}
	if err := l.write(e.Seq, append(b, '\n')); err != nil {
		return fmt.Errorf("audit %s: %w", kind, err)
	}
	l.head = Head{e.Seq, sum}
	return nil
}

// write adds a line behind the last whole one.
func (l *Log) write(seq uint64, line []byte) error {
	if l.file == nil || l.size > 0 && l.size+int64(len(line)) > l.limit {
		if err := l.turn(seq); err != nil {
			return err
		}
	}
	if !l.clean {
		if err := l.file.Truncate(l.size); err != nil {
			return err
		}
	}
	l.clean = false
	if _, err := l.file.WriteAt(line, l.size); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.size += int64(len(line))
	l.clean = true
	return nil
}

// turn begins a file and lets the oldest go.
func (l *Log) turn(seq uint64) error {
	f, err := os.OpenFile(filepath.Join(l.dir, fmt.Sprintf("%010d.log", seq)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if l.file != nil {
		err = l.file.Close()
	}
	l.file, l.size, l.clean = f, 0, false
	names, listErr := list(l.dir)
	for len(names) > keptFiles {
		err = errors.Join(err, os.Remove(names[0]))
		names = names[1:]
	}
	return errors.Join(err, listErr, l.lock.Sync())
}

// list is the log's files, oldest first.
func list(dir string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	slices.Sort(names)
	return names, err
}

// resume finds the head and cuts off what a power cut left of a line.
func (l *Log) resume() error {
	names, err := list(l.dir)
	if err != nil {
		return err
	}
	var torn []byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		// In the newest file alone can a line be torn.
		whole := len(data)
		if name == names[len(names)-1] {
			whole = wholeLines(data)
			torn = data[whole:]
			l.size = int64(whole)
			if l.file, err = os.OpenFile(name, os.O_RDWR, 0o600); err != nil {
				return err
			}
		}
		l.follow(data[:whole])
	}
	if len(torn) == 0 {
		return nil
	}
	l.clean = false
	return l.append("repaired", map[string]any{"torn_bytes": len(torn), "sha256": sumOf(torn)})
}

// wholeLines is how much of the newest file stays: all of it, but for a last
// line without an end, or with one, that is no entry.
func wholeLines(data []byte) int {
	end, last := 0, 0
	for i, c := range data {
		if c == '\n' {
			end, last = i+1, end
		}
	}
	if end == len(data) && end > 0 {
		if _, err := parse(data[last : end-1]); err != nil {
			return last
		}
	}
	return end
}

// follow moves the head over the lines. Behind one that is damaged it goes on
// counting, so that no number is given twice.
func (l *Log) follow(data []byte) {
	for line := range lines(data) {
		e, err := parse(line)
		if err != nil {
			l.head = Head{l.head.Seq + 1, sumOf(line)}
			continue
		}
		l.head = Head{max(e.Seq, l.head.Seq+1), e.Sum}
	}
}

// Files are the paths of the log's files in dir, oldest first.
func Files(dir string) ([]string, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return list(dir)
}
