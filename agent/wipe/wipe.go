// Package wipe destroys the data that a device has stored: the spool, the admitted policy,
// passwords and keys, and the audit log. It overwrites each file with zeros, unlinks
// it, and writes a certificate.
//
// The certificate holds size and SHA-256 of each file, except of a secret, which they
// would help to guess. It states that a flash disk may keep old copies.
//
// The package refuses a spool that a running kerb holds, files that are not regular
// files, and everything that is not kerb's: it lists other files and leaves them.
package wipe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"kerb/agent/audit"
	"kerb/agent/config"
	"kerb/agent/state"
	"kerb/agent/store"
)

// The kinds of items, in the words of the certificate.
const (
	secretKind = "secret"
	spoolKind  = "spool"
	policyKind = "policy"
	auditKind  = "audit log" // destroyed last
)

// An Item is one file to destroy, and afterwards the report on it.
type Item struct {
	Path   string `json:"path"`
	Kind   string `json:"what"`
	Bytes  int64  `json:"bytes,omitempty"`  // 0 for a secret: it is the length of the password
	SHA256 string `json:"sha256,omitempty"` // empty for a secret: a guess could be compared with it
	How    string `json:"how,omitempty"`    // how it was destroyed
	Error  string `json:"error,omitempty"`  // why it was not
}

// ListItems lists the secrets that site.toml names and kerb's files in the state
// directory. left lists the other files of that directory, which stay.
func ListItems(site *config.Site) (items []Item, left []string, err error) {
	secrets := []string{site.Broker.PasswordFile, site.Broker.KeyFile}
	for _, c := range site.Cameras {
		secrets = append(secrets, c.PasswordFile)
	}
	slices.Sort(secrets)
	for _, path := range slices.Compact(secrets) {
		if path != "" {
			items = append(items, Item{Path: path, Kind: secretKind})
		}
	}
	names, err := os.ReadDir(site.Device.State)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, n := range names {
		path := filepath.Join(site.Device.State, n.Name())
		switch {
		case strings.HasPrefix(n.Name(), state.SpoolFile):
			items = append(items, Item{Path: path, Kind: spoolKind})
		case strings.HasPrefix(n.Name(), state.AdmittedFile), strings.HasPrefix(n.Name(), state.RunningPrefix):
			items = append(items, Item{Path: path, Kind: policyKind})
		case n.Name() == state.AuditDir:
			files, err := audit.LogFiles(path)
			if err != nil {
				return nil, nil, err
			}
			for _, f := range files {
				items = append(items, Item{Path: f, Kind: auditKind})
			}
		default:
			left = append(left, path)
		}
	}
	return items, left, nil
}

// LockSpool takes the lock that bbolt takes on the spool (flock(2)), so that no kerb
// run has the spool open or can open it. release gives the lock back. It fails where a
// process holds the lock; a missing spool needs none.
func LockSpool(dir string) (release func(), err error) {
	f, err := os.Open(filepath.Join(dir, state.SpoolFile))
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w: stop kerb run first; nothing was destroyed", f.Name(), store.ErrInUse)
	}
	return func() { f.Close() }, nil
}

// HashFile sets Bytes and SHA256. For a secret it does neither.
func (x *Item) HashFile() error {
	if x.Kind == secretKind {
		return nil
	}
	f, err := os.Open(x.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if x.Bytes, err = io.Copy(h, f); err != nil {
		return err
	}
	x.SHA256 = hex.EncodeToString(h.Sum(nil))
	return nil
}

// DestroyFile overwrites the file with zeros and unlinks it, and sets How. The file of
// a secret is emptied and stays, because site.toml still names it: kerb wipe can read
// site.toml again after an interruption.
func (x *Item) DestroyFile() error {
	info, err := os.Lstat(x.Path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: not a plain file", x.Path)
	}
	x.How = "overwritten with zeros"
	if why := movedWriteReason(x.Path); why != "" {
		x.How += " (" + why + ")"
	}
	err = overwriteZeros(x.Path, info.Size())
	if x.Kind == secretKind {
		x.How += " and emptied"
		return err
	}
	if err != nil {
		x.How = "not overwritten: " + err.Error()
	}
	x.How += " and unlinked"
	if err := os.Remove(x.Path); err != nil {
		return err
	}
	return state.SyncDir(filepath.Dir(x.Path))
}

// zerosSize is the number of zeros in one write, in bytes; chosen by hand.
const zerosSize = 64 << 10

// overwriteZeros writes size zeros over the file, syncs it and cuts it to length 0.
func overwriteZeros(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	zeros := make([]byte, zerosSize)
	for done := int64(0); done < size && err == nil; {
		var n int
		n, err = f.Write(zeros[:min(size-done, int64(len(zeros)))])
		done += int64(n)
	}
	return errors.Join(err, f.Sync(), f.Truncate(0), f.Sync(), f.Close())
}

// formatTime formats a time in RFC 3339, with a remark where the clock could not be
// trusted.
func formatTime(at time.Time, synced bool) string {
	if synced {
		return at.Format(time.RFC3339)
	}
	return at.Format(time.RFC3339) + ", by a clock that cannot be believed"
}

// encodeJSON writes v as JSON on one line.
func encodeJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
