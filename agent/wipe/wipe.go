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
	"cmp"
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
	tallyKind  = "tallies by hand"
	keyKind    = "key of proofs"
	sealKind   = "key of the spool"

	auditHeadKind = "head of the audit log" // destroyed last, as the log is
	auditKind     = "audit log"             // destroyed last
)

// An Item is one file to destroy, and afterwards the report on it.
type Item struct {
	Path   string `json:"path"`
	Kind   string `json:"what"`
	Bytes  int64  `json:"bytes,omitempty"`  // 0 for a secret: it is the length of the password
	SHA256 string `json:"sha256,omitempty"` // empty for a secret: a guess could be compared with it
	How    string `json:"how,omitempty"`    // how it was destroyed
	Error  string `json:"error,omitempty"`  // why it was not

	place string      // path by which the owner of the state directory reaches it; "": Path
	seen  os.FileInfo // what HashFile read: nothing else is destroyed
}

// openFile opens the file of the item. It refuses a link, and everything that is no
// plain file or not the one that was opened before.
func (x *Item) openFile(flag int) (*os.File, error) {
	f, err := os.OpenFile(cmp.Or(x.place, x.Path), flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: not a plain file that can be opened: %w", x.Path, err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s: not a plain file", x.Path)
	case x.seen != nil && !os.SameFile(x.seen, info):
		err = fmt.Errorf("%s: has become another file", x.Path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	x.seen = info
	return f, nil
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
		case strings.HasPrefix(n.Name(), state.SpoolKey):
			items = append(items, Item{Path: path, Kind: sealKind})
		case strings.HasPrefix(n.Name(), state.SpoolFile):
			items = append(items, Item{Path: path, Kind: spoolKind})
		case strings.HasPrefix(n.Name(), state.AdmittedFile), strings.HasPrefix(n.Name(), state.RunningPrefix),
			strings.HasPrefix(n.Name(), state.CountedFile), n.Name() == state.WantRecord, strings.HasPrefix(n.Name(), state.WantPrefix):
			items = append(items, Item{Path: path, Kind: policyKind})
		case slices.Contains(secrets, path): // it is among them
		case n.Name() == state.CertificateFile:
			items = append(items, Item{Path: path, Kind: secretKind})
		case n.Name() == state.AcceptanceFile:
			items = append(items, Item{Path: path, Kind: tallyKind})
		case n.Name() == state.ProofKey:
			items = append(items, Item{Path: path, Kind: keyKind})
		case strings.HasPrefix(n.Name(), state.AuditDir+audit.HeadSuffix):
			items = append(items, Item{Path: path, Kind: auditHeadKind})
		case n.Name() == state.AuditDir:
			if !n.IsDir() { // a link is not kerb's
				left = append(left, path)
				continue
			}
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

// HashFile sets Bytes and SHA256. For a secret and a key it does neither.
func (x *Item) HashFile() error {
	f, err := x.openFile(os.O_RDONLY)
	if err != nil {
		return err
	}
	if x.Kind == secretKind || x.Kind == keyKind || x.Kind == sealKind {
		return f.Close()
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
	f, err := x.openFile(os.O_WRONLY)
	if err != nil {
		return err
	}
	path := cmp.Or(x.place, x.Path)
	x.How = "overwritten with zeros"
	if why := movedWriteReason(path); why != "" {
		x.How += " (" + why + ")"
	}
	err = overwriteZeros(f, x.seen.Size())
	if x.Kind == secretKind {
		x.How += " and emptied"
		return err
	}
	if err != nil {
		x.How = "not overwritten: " + err.Error()
	}
	x.How += " and unlinked"
	if err := os.Remove(path); err != nil {
		return err
	}
	return state.SyncDir(filepath.Dir(path))
}

// zerosSize is the number of zeros in one write, in bytes; chosen by hand.
const zerosSize = 64 << 10

// overwriteZeros writes size zeros over the file, syncs it, cuts it to length 0 and
// closes it.
func overwriteZeros(f *os.File, size int64) (err error) {
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
