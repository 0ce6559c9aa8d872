// Package audit is an append-only log of changes to a device and its policy.
// Every line holds the SHA-256 of the line before it (a hash chain), so that a
// reader who has stored the head once can prove later whether any entry up to
// it was changed.
//
// It refuses counts and pictures: the log is about the device, not about the
// street. It refuses to repair damage other than a line that a power cut left
// unfinished. It does not prevent root from rewriting the whole log; it makes
// that visible, because the head is in the state message and so leaves the
// device at least once a day.
//
// The log is a directory of files, each named by the number of its first entry.
// The oldest are deleted when there are more than four; the chain continues
// from file to file. A line is synced before Append returns.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// ErrInUse reports that another process has the log open for writing.
var ErrInUse = errors.New("in use by another process")

// InUseError is ErrInUse with the process that has the log.
type InUseError struct{ PID int } // 0: it is not known

// Error tells the process.
func (e InUseError) Error() string {
	if e.PID == 0 {
		return ErrInUse.Error()
	}
	return fmt.Sprintf("in use by process %d", e.PID)
}

// Is makes an InUseError equal to ErrInUse.
func (e InUseError) Is(target error) bool { return target == ErrInUse }

// Head is number and sum of the last entry; zero for an empty log.
type Head struct {
	Seq uint64 `json:"seq"`
	Sum string `json:"sum"`
}

// The bounds of the log. A device writes a few entries a day, so they hold years.
const (
	fileBytes = 256 << 10
	keptFiles = 4
)

// Log is an open log. Its methods may be called from several goroutines.
type Log struct {
	dir  string
	now  func() (time.Time, bool)
	lock *os.File // the directory, locked: one writer at a time

	mu    sync.Mutex
	file  *os.File // the newest; nil before the first entry
	size  int64    // of the newest file, up to its last whole line
	limit int64
	head  Head
	clean bool // the file ends at size
}

// Open opens the log in dir, or creates it. now returns the time and whether
// the clock is synced. A line that a power cut left unfinished is cut off,
// which is logged; other damage is left as it is, for Verify to report. It
// returns ErrInUse when another process has the log.
func Open(dir string, now func() (time.Time, bool)) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	lock, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	l := &Log{dir: dir, now: now, lock: lock, limit: fileBytes, clean: true}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = InUseError{findLockHolder(lock)}
		}
		err = fmt.Errorf("open the audit log: %w", err)
		return nil, errors.Join(err, lock.Close())
	}
	if err := errors.Join(l.recoverHead(), l.checkKeptHead()); err != nil {
		return nil, errors.Join(fmt.Errorf("open the audit log: %w", err), l.Close())
	}
	return l, nil
}

// Close releases the lock. Entries are on the disk already.
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

// Head returns the head of the log.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Append writes one entry and returns when it is synced to the disk. kind is a
// word of a–z and _; data is any value that JSON can encode, or nil.
func (l *Log) Append(kind string, data any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appendEntry(kind, data)
}

// appendEntry is Append without the lock.
func (l *Log) appendEntry(kind string, data any) error {
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
	b, sum, err := e.encodeLine()
	if err != nil {
		return fmt.Errorf("audit %s: %w", kind, err)
	}
	if err := l.writeLine(e.Seq, append(b, '\n')); err != nil {
		return fmt.Errorf("audit %s: %w", kind, err)
	}
	l.head = Head{e.Seq, sum}
	return l.keepHead()
}

// writeLine writes a line behind the last whole one, into a new file when this
// one is full, and syncs it.
func (l *Log) writeLine(seq uint64, line []byte) error {
	if l.file == nil || l.size > 0 && l.size+int64(len(line)) > l.limit {
		if err := l.rotateFile(seq); err != nil {
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

// rotateFile begins a new file and deletes the oldest ones.
func (l *Log) rotateFile(seq uint64) error {
	f, err := os.OpenFile(filepath.Join(l.dir, fmt.Sprintf("%010d.log", seq)), os.O_CREATE|os.O_EXCL|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if l.file != nil {
		err = l.file.Close()
	}
	l.file, l.size, l.clean = f, 0, false
	names, listErr := listFiles(l.dir)
	for len(names) > keptFiles {
		err = errors.Join(err, os.Remove(names[0]))
		names = names[1:]
	}
	return errors.Join(err, listErr, l.lock.Sync())
}

// listFiles returns the paths of the log's files, oldest first.
func listFiles(dir string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	slices.Sort(names)
	return names, err
}

// recoverHead reads all files to find the head, and replaces an unfinished last
// line by an entry "repaired".
func (l *Log) recoverHead() error {
	names, err := listFiles(l.dir)
	if err != nil {
		return err
	}
	var torn []byte
	for _, name := range names {
		data, err := readPlain(name)
		if err != nil {
			return err
		}
		// Only the newest file can end in an unfinished line.
		whole := len(data)
		if name == names[len(names)-1] {
			whole = wholeLength(data)
			torn = data[whole:]
			l.size = int64(whole)
			if l.file, err = os.OpenFile(name, os.O_RDWR|syscall.O_NOFOLLOW, 0o600); err != nil {
				return err
			}
		}
		l.advanceHead(data[:whole])
	}
	if len(torn) == 0 {
		return nil
	}
	l.clean = false
	return l.appendEntry("repaired", map[string]any{"torn_bytes": len(torn), "sha256": sumOf(torn)})
}

// readPlain reads a file of the log. A link is an error: it is not what kerb wrote.
func readPlain(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no plain file", path)
	}
	return io.ReadAll(f)
}

// wholeLength returns how many bytes of the newest file are kept: all but an
// unfinished last line, or a last line that is not a valid entry.
func wholeLength(data []byte) int {
	end, last := 0, 0
	for i, c := range data {
		if c == '\n' {
			end, last = i+1, end
		}
	}
	if end == len(data) && end > 0 {
		if _, err := parseLine(data[last : end-1]); err != nil {
			return last
		}
	}
	return end
}

// advanceHead moves the head over the lines. After a damaged line it continues
// counting, so that no number is given twice.
func (l *Log) advanceHead(data []byte) {
	for line := range splitLines(data) {
		e, err := parseLine(line)
		if err != nil {
			l.head = Head{l.head.Seq + 1, sumOf(line)}
			continue
		}
		l.head = Head{max(e.Seq, l.head.Seq+1), e.Sum}
	}
}

// LogFiles returns the paths of the log's files in dir, oldest first; none when
// there is no log.
func LogFiles(dir string) ([]string, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return listFiles(dir)
}
