package main

import (
	"bufio"
	"context"
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
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/store"
)

type wipe struct {
	Site string `help:"The site whose device is wiped." default:"/etc/kerb/site.toml" placeholder:"F"`
	Yes  bool   `help:"Do not ask."`
	JSON bool   `help:"The certificate as one JSON object."`
}

// Help says what is destroyed.
func (w *wipe) Help() string {
	return `Destroys what this device has stored: the spool, the policy that was last in force, the passwords and keys that site.toml names, and last of all the audit log. The certificate goes to standard output: keep it.

Nothing else is touched: not the two files, not certificates, not public keys.`
}

// Run destroys in an order that leaves, whenever it is interrupted, the audit
// log that says so.
func (w *wipe) Run(_ context.Context, t terminal) error {
	site, err := config.Load(w.Site)
	if err != nil {
		return err
	}
	things, left, err := inventory(site)
	if err != nil {
		return err
	}
	if len(things) == 0 {
		return fmt.Errorf("nothing to wipe: %s holds nothing of kerb's", site.Device.State)
	}
	if err := w.confirm(t, site.Device.Name, things); err != nil {
		return err
	}
	release, err := holdSpool(site.Device.State)
	if err != nil {
		return err
	}
	defer release()
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	log, err := audit.Open(filepath.Join(site.Device.State, auditDir), believed(clk))
	if errors.Is(err, audit.ErrInUse) { // the spool may be free for a moment, while a starting agent compacts it
		return fmt.Errorf("%s: %w: stop kerb run first; nothing was destroyed", filepath.Join(site.Device.State, auditDir), audit.ErrInUse)
	}
	if err != nil {
		return err
	}
	defer log.Close()
	c := newCertificate(site, clk.Read(), left)
	for i := range things {
		if things[i].What != whatAudit {
			c.destroy(&things[i])
		}
	}
	return w.finish(t, site, log, c)
}

// finish enters the wipe, writes the certificate, and only then destroys the
// audit log: what cannot be certified must stay in the account.
func (w *wipe) finish(t terminal, site *config.Site, log *audit.Log, c *certificate) error {
	if err := log.Append("wipe", map[string]any{"complete": c.Complete, "destroyed": c.Destroyed}); err != nil {
		return err
	}
	dir := filepath.Join(site.Device.State, auditDir)
	report, err := audit.Verify(dir, func(audit.Entry) error { return nil })
	c.Audit = account{First: report.First, Head: log.Head(), Holds: err == nil}
	if err != nil {
		c.Audit.Why = err.Error()
	}
	files, err := audit.Files(dir)
	if err != nil {
		return err
	}
	var last []thing
	for _, f := range files {
		a := thing{Path: f, What: whatAudit}
		if err := a.measure(); err != nil {
			return err
		}
		a.How = "destroyed after this certificate was written"
		last = append(last, a)
	}
	if c.Complete {
		c.Destroyed = append(c.Destroyed, last...)
	}
	if err := c.write(t.out, w.JSON); err != nil {
		return fmt.Errorf("the certificate could not be written, so the audit log is kept: %w", err)
	}
	if !c.Complete {
		return errors.New("not everything could be destroyed: the audit log is kept")
	}
	for i := range last {
		if err := last[i].destroy(); err != nil {
			return fmt.Errorf("the certificate is wrong: %w", err)
		}
	}
	return errors.Join(os.Remove(dir), syncDir(site.Device.State))
}

// confirm asks for the device's name, after saying what will be gone.
func (w *wipe) confirm(t terminal, name string, things []thing) error {
	if w.Yes {
		return nil
	}
	for _, x := range things {
		fmt.Fprintf(t.err, "kerb: will be destroyed: %-9s %s\n", x.What, x.Path)
	}
	fmt.Fprintf(t.err, "kerb: type the name of this device to go on (%s): ", name)
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != name {
		return fmt.Errorf("%q is not %s: nothing was destroyed", strings.TrimSpace(line), name)
	}
	return nil
}

// What can be destroyed.
const (
	whatSecret = "secret"
	whatSpool  = "spool"
	whatPolicy = "policy"
	whatAudit  = "audit log"
)

// A thing is one file that is destroyed.
type thing struct {
	Path   string `json:"path"`
	What   string `json:"what"`
	Bytes  int64  `json:"bytes,omitempty"`  // not of a secret: it would tell how long a password was
	SHA256 string `json:"sha256,omitempty"` // not of a secret: it could be guessed from it
	How    string `json:"how,omitempty"`
	Error  string `json:"error,omitempty"`
}

// inventory is what there is to destroy, and what else lies in the state
// directory and is left alone.
func inventory(site *config.Site) (things []thing, left []string, err error) {
	secrets := []string{site.Broker.PasswordFile, site.Broker.KeyFile}
	for _, c := range site.Cameras {
		secrets = append(secrets, c.PasswordFile)
	}
	slices.Sort(secrets)
	for _, path := range slices.Compact(secrets) {
		if path != "" {
			things = append(things, thing{Path: path, What: whatSecret})
		}
	}
	names, err := os.ReadDir(site.Device.State)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, n := range names {
		path := filepath.Join(site.Device.State, n.Name())
		switch {
		case strings.HasPrefix(n.Name(), spoolFile):
			things = append(things, thing{Path: path, What: whatSpool})
		case strings.HasPrefix(n.Name(), admittedFile):
			things = append(things, thing{Path: path, What: whatPolicy})
		case n.Name() == auditDir:
			files, err := audit.Files(path)
			if err != nil {
				return nil, nil, err
			}
			for _, f := range files {
				things = append(things, thing{Path: f, What: whatAudit})
			}
		default:
			left = append(left, path)
		}
	}
	return things, left, nil
}

// holdSpool takes the lock that bbolt takes, so that no kerb run can have the
// spool, or get it.
func holdSpool(state string) (release func(), err error) {
	f, err := os.Open(filepath.Join(state, spoolFile))
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
func (x *thing) measure() error {
	if x.What == whatSecret {
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
func (x *thing) destroy() error {
	info, err := os.Lstat(x.Path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: not a plain file", x.Path)
	}
	x.How = "overwritten with zeros"
	if why := movesOnWrite(x.Path); why != "" {
		x.How += " (" + why + ")"
	}
	err = overwrite(x.Path, info.Size())
	if x.What == whatSecret {
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
	return syncDir(filepath.Dir(x.Path))
}

// overwrite leaves the file empty, after zeros went where its content was.
func overwrite(path string, size int64) error {
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

// clockWord says how far a time can be believed.
func clockWord(at time.Time, synced bool) string {
	if synced {
		return at.Format(time.RFC3339)
	}
	return at.Format(time.RFC3339) + ", by a clock that cannot be believed"
}

// encodeTo writes one JSON object on one line.
func encodeTo(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
