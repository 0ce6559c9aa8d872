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

// What can be destroyed.
const (
	secretKind = "secret"
	spoolKind  = "spool"
	policyKind = "policy"
	AuditKind  = "audit log"
)

// A thing is one file that is destroyed.
type Item struct {
	Path   string `json:"path"`
	Kind   string `json:"what"`
	Bytes  int64  `json:"bytes,omitempty"`  // not of a secret: it would tell how long a password was
	SHA256 string `json:"sha256,omitempty"` // not of a secret: it could be guessed from it
	How    string `json:"how,omitempty"`
	Error  string `json:"error,omitempty"`
}

// inventory is what there is to destroy, and what else lies in the state
// directory and is left alone.
func ListItems(site *config.Site) (things []Item, left []string, err error) {
	secrets := []string{site.Broker.PasswordFile, site.Broker.KeyFile}
	for _, c := range site.Cameras {
		secrets = append(secrets, c.PasswordFile)
	}
	slices.Sort(secrets)
	for _, path := range slices.Compact(secrets) {
		if path != "" {
			things = append(things, Item{Path: path, Kind: secretKind})
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
			things = append(things, Item{Path: path, Kind: spoolKind})
		case strings.HasPrefix(n.Name(), state.AdmittedFile):
			things = append(things, Item{Path: path, Kind: policyKind})
		case n.Name() == state.AuditDir:
			files, err := audit.LogFiles(path)
			if err != nil {
				return nil, nil, err
			}
			for _, f := range files {
				things = append(things, Item{Path: f, Kind: AuditKind})
			}
		default:
			left = append(left, path)
		}
	}
	return things, left, nil
}

// holdSpool takes the lock that bbolt takes, so that no kerb run can have the
// spool, or get it.
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

// measure notes size and hash of a thing that is no secret.
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

// destroy writes zeros over the file and unlinks it. A secret's file stays and
// is empty: site.toml still names it, and an interrupted wipe is begun again
// from that.
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

// overwriteZeros leaves the file empty, after zeros went where its content was.
func overwriteZeros(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	zeros := make([]byte, 64<<10)
	for done := int64(0); done < size && err == nil; {
		var n int
		n, err = f.Write(zeros[:min(size-done, int64(len(zeros)))])
		done += int64(n)
	}
	return errors.Join(err, f.Sync(), f.Truncate(0), f.Sync(), f.Close())
}

// formatTime says how far a time can be believed.
func formatTime(at time.Time, synced bool) string {
	if synced {
		return at.Format(time.RFC3339)
	}
	return at.Format(time.RFC3339) + ", by a clock that cannot be believed"
}

// encodeJSON writes one JSON object on one line.
func encodeJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
