package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The files of the folder kerb on the card that do not describe the counting: requests,
// pole's own texts, and what kerb aim keeps beside site.toml.
const (
	aimFile    = "aim.toml"      // its presence opens one session of aiming
	aimTaken   = "aim-done.toml" // the same file after that
	reportFile = "report.txt"    // what pole tells the engineer
	oldSite    = "site.toml.old" // the lines before the last session
)

// isOfSet reports whether a file of the folder belongs to the set that is copied and
// hashed.
func isOfSet(name string) bool {
	return !slices.Contains([]string{aimFile, aimTaken, reportFile, oldSite}, name)
}

// walkSet calls visit for each folder (with nil) and file of a set, in the order of their
// names, and returns the hash of all files: 16 hexadecimal digits.
func walkSet(from string, visit func(name string, content []byte) error) (string, error) {
	sum, left := sha256.New(), int64(maxCardBytes)
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return visit(name, nil)
		}
		if !isOfSet(name) {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if left -= info.Size(); left < 0 {
			return fmt.Errorf("the folder kerb holds more than %d MB", maxCardBytes>>20)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(content))
		sum.Write(content)
		if content == nil {
			content = []byte{}
		}
		return visit(name, content)
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sum.Sum(nil))[:16], nil
}

// hashSet returns the hash of the files of a set.
func hashSet(dir string) (string, error) {
	return walkSet(dir, func(string, []byte) error { return nil })
}

// copySet copies the files of a folder, readable for the group, and returns the
// hash of them all. fs.ErrNotExist: neither site.toml nor policy.toml is there.
func copySet(from, to string, group int) (string, error) {
	if err := os.RemoveAll(to); err != nil {
		return "", err
	}
	_, noSite := os.Stat(filepath.Join(from, "site.toml"))
	_, noPolicy := os.Stat(filepath.Join(from, "policy.toml"))
	if noSite != nil && noPolicy != nil {
		return "", fs.ErrNotExist
	}
	return walkSet(from, func(name string, content []byte) error {
		path := filepath.Join(to, name)
		if content == nil {
			return shareWithGroup(os.MkdirAll(path, 0o750), path, 0o750, group)
		}
		return shareWithGroup(writeSynced(path, content), path, 0o640, group)
	})
}

// Lines that were drawn at the pole are in the set in force first, and are copied to the
// card from there. These two files tell after a power cut how far that came.
//
//	/perm/kerb/card-sum       the hash of the card's files as pole knew them last
//	/perm/kerb/card-unfinished   exists while site.toml of the card is being written
const (
	cardSumFile        = permDir + "/card-sum"
	cardUnfinishedFile = permDir + "/card-unfinished"
)

// A cardState compares the card with the set in force.
type cardState int

const (
	cardChanged cardState = iota // a person changed the card: its files are to be checked
	cardSame                     // the card holds the set in force
	cardBehind                   // the set has lines from a session that are not on the card
)

// compareCard compares the card with the set in force by three hashes: that of the card,
// of the set, and of the card as pole knew it last. unfinished: a power cut came while
// pole wrote to the card.
func compareCard(card, set, known string, unfinished bool) cardState {
	switch {
	case card == set:
		return cardSame
	case card == known, unfinished:
		return cardBehind
	}
	return cardChanged
}

// knownCard returns the hash of the card as pole knew it last: that in path, or the one
// in the name of the set.
func knownCard(path, set string) string {
	if b, err := os.ReadFile(path); err == nil {
		return strings.TrimSpace(string(b))
	}
	return strings.TrimPrefix(filepath.Base(set), "set-")
}

// writeSiteTo replaces site.toml in the folder kerb of the card by that of the set, after
// the text before it has gone to oldSite. fs.ErrNotExist: the card has none.
func writeSiteTo(card, set string) error {
	text, err := os.ReadFile(filepath.Join(set, "site.toml"))
	if err != nil {
		return err
	}
	path := filepath.Join(card, "site.toml")
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return errors.Join(writeInPlace(filepath.Join(card, oldSite), old), writeInPlace(path, text))
}

// writeInPlace writes a file of the card without a rename: FAT has no journal, and a
// power cut within a rename leaves two names for the same clusters.
func writeInPlace(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	return errors.Join(err, f.Truncate(int64(len(content))), f.Sync(), f.Close())
}

// writeAtomic replaces a file of the permanent partition: after a power cut it has the
// old content or the new one.
func writeAtomic(path string, content []byte) error {
	if err := errors.Join(writeSynced(path+".new", content), os.Rename(path+".new", path)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes renames in a directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
