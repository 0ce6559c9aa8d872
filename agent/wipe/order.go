package wipe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"kerb/agent/audit"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/state"
)

// An Order is all that one wipe of a device needs.
type Order struct {
	Site    *config.Site
	Items   []Item   // from ListItems
	Left    []string // from ListItems: paths that stay
	Version string   // of kerb, for the certificate
	Clock   clock.Clock
	Now     func() (time.Time, bool) // for the entries of the audit log; see audit.Open

	ClearRetained func() string            // clears the broker's retained messages and says what came of it
	Print         func(*Certificate) error // hands the certificate over; after an error the audit log stays
}

// Run destroys the items and last the audit log, so that after an interruption the log
// still tells of the wipe. It refuses to start while kerb run holds the spool or the
// log, and then destroys nothing.
func (w Order) Run() error {
	owner, err := state.OpenOwner(w.Site.Device.State)
	if err != nil {
		return err
	}
	defer owner.Close()
	var log *audit.Log
	release := func() {}
	err = owner.Do(func(dir string) (err error) {
		if release, err = LockSpool(dir); err != nil {
			return err
		}
		log, err = audit.Open(filepath.Join(dir, state.AuditDir), w.Now)
		return err
	})
	if release != nil {
		defer release()
	}
	if errors.Is(err, audit.ErrInUse) { // the spool may be free for a moment, while a starting agent compacts it
		return fmt.Errorf("%s: %w: stop kerb run first; nothing was destroyed", filepath.Join(w.Site.Device.State, state.AuditDir), audit.ErrInUse)
	}
	if err != nil {
		return err
	}
	defer log.Close()
	retained := w.ClearRetained() // while its password is there
	c := NewCertificate(w.Site, w.Version, w.Clock.ReadAll(), w.Left)
	c.Retained = retained
	for i := range w.Items {
		switch w.Items[i].Kind {
		case auditKind, auditHeadKind:
		case secretKind: // outside the state directory, and root's
			c.DestroyItem(&w.Items[i])
		default:
			err := owner.Do(func(dir string) error {
				w.Items[i].place = filepath.Join(dir, filepath.Base(w.Items[i].Path))
				c.DestroyItem(&w.Items[i])
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return owner.Do(func(dir string) error { return w.writeAndDestroyAudit(dir, c, log) })
}

// writeAndDestroyAudit logs the wipe, writes the certificate, and only then destroys
// the audit log and the head beside it, which the last entry has written anew. Where the
// certificate cannot be written, or an item could not be destroyed, both stay, as the only
// record of the wipe.
func (w Order) writeAndDestroyAudit(stateDir string, c *Certificate, log *audit.Log) error {
	if err := log.Append("wipe", map[string]any{"complete": c.Complete, "destroyed": c.Destroyed}); err != nil {
		return err
	}
	dir := filepath.Join(stateDir, state.AuditDir)
	report, err := audit.VerifyLog(dir, func(audit.Entry) error { return nil })
	c.Audit = AuditEnd{First: report.First, Head: log.Head(), Holds: err == nil}
	if err != nil {
		c.Audit.Why = err.Error()
	}
	last, err := w.listAudit(dir)
	if err != nil {
		return err
	}
	if c.Complete {
		c.Destroyed = append(c.Destroyed, last...)
	}
	if err := w.Print(c); err != nil {
		return fmt.Errorf("the certificate could not be written, so the audit log is kept: %w", err)
	}
	if !c.Complete {
		return errors.New("not everything could be destroyed: the audit log is kept")
	}
	for i := range last {
		if err := last[i].DestroyFile(); err != nil {
			return fmt.Errorf("the certificate is wrong: %w", err)
		}
	}
	return errors.Join(os.Remove(dir), state.SyncDir(stateDir))
}

// listAudit lists the files of the audit log in dir and the head beside it, as they are
// after the last entry.
func (w Order) listAudit(dir string) (items []Item, err error) {
	files, err := audit.LogFiles(dir)
	if err != nil {
		return nil, err
	}
	own := filepath.Join(w.Site.Device.State, state.AuditDir)
	for _, f := range files {
		items = append(items, Item{Path: filepath.Join(own, filepath.Base(f)), Kind: auditKind, place: f})
	}
	items = append(items, Item{Path: own + audit.HeadSuffix, Kind: auditHeadKind, place: dir + audit.HeadSuffix})
	for i := range items {
		if err := items[i].HashFile(); err != nil {
			return nil, err
		}
		items[i].How = "destroyed after this certificate was written"
	}
	return items, nil
}
