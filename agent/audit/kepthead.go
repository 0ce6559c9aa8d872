package audit

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// HeadSuffix is what the name of the file with the last head adds to that of the log's
// directory. It lies beside the directory, so that a device notices by itself when
// entries were cut off or the whole log was deleted. Who deletes both is noticed by the
// head in the state message alone.
const HeadSuffix = "-head.json"

// keepHead writes the head beside the log: a new file, synced and renamed.
func (l *Log) keepHead() error {
	b, err := json.Marshal(l.head)
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
// or the log was deleted. The chain goes on from what is there. An entry before the first head was kept is not missed.
func (l *Log) checkKeptHead() error {
	b, err := readPlain(filepath.Clean(l.dir) + HeadSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var kept Head
	if err != nil || json.Unmarshal(b, &kept) != nil || kept.Seq == 0 {
		return l.appendEntry("cut", map[string]any{"why": "the head beside the log cannot be read"})
	}
	sum := l.head.Sum
	if l.head.Seq > kept.Seq {
		sum, _ = FindSum(l.dir, kept.Seq) // "" where it is gone
	}
	if l.head.Seq >= kept.Seq && sum == kept.Sum {
		return nil
	}
	return l.appendEntry("cut", map[string]any{"had": kept, "found": l.head})
}
