package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"kerb/agent/admission"
	"kerb/agent/audit"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/publisher"
	"kerb/agent/state"
	"kerb/agent/terminal"
	"kerb/agent/wipe"
)

// wipeCmd is kerb wipe: it destroys what this device has stored, and prints a
// certificate.
type wipeCmd struct {
	Site string `help:"The site whose device is wiped." default:"/etc/kerb/site.toml" placeholder:"F"`
	Yes  bool   `help:"Do not ask."`
	JSON bool   `help:"The certificate as one JSON object."`

	KeepRetained bool `help:"Leave what the broker retains, as for a device that comes back under its name."`
}

// Help is the long help: which files are destroyed, and which stay.
func (w *wipeCmd) Help() string {
	return `Destroys what this device has stored: the spool, the policy that was last in force, the passwords and keys that site.toml names, and last of all the audit log. The certificate goes to standard output: keep it.

First it clears the retained messages state, meta and now at the broker, so that the platform does not take the device for one that is offline. Where the broker cannot be reached it says so and goes on.

Nothing else is touched: not the two files, not certificates, not public keys.`
}

// Run destroys the audit log last, so that after an interruption the log still
// tells of the wipe. It refuses to start while kerb run holds the spool or the log.
func (w *wipeCmd) Run(ctx context.Context, t terminal.Terminal) error {
	site, err := config.Load(w.Site)
	if err != nil {
		return err
	}
	items, left, err := wipe.ListItems(site)
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return fmt.Errorf("nothing to wipe: %s holds nothing of kerb's", site.Device.State)
	}
	if err := w.confirmName(t, site.Device.Name, items); err != nil {
		return err
	}
	shown := publisher.ShownStreams(site.Device.State)
	release, err := wipe.LockSpool(site.Device.State)
	if err != nil {
		return err
	}
	defer release()
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	log, err := audit.Open(filepath.Join(site.Device.State, state.AuditDir), admission.WallClock(clk))
	if errors.Is(err, audit.ErrInUse) { // the spool may be free for a moment, while a starting agent compacts it
		return fmt.Errorf("%s: %w: stop kerb run first; nothing was destroyed", filepath.Join(site.Device.State, state.AuditDir), audit.ErrInUse)
	}
	if err != nil {
		return err
	}
	defer log.Close()
	retained := w.clearRetained(ctx, t, site, shown) // while its password is there
	c := wipe.NewCertificate(site, versionName(), clk.ReadAll(), left)
	c.Retained = retained
	for i := range items {
		if items[i].Kind != wipe.AuditKind {
			c.DestroyItem(&items[i])
		}
	}
	return w.writeAndDestroyAudit(t, site, log, c)
}

// clearRetained clears the retained messages of the device, and returns what the
// certificate says of it. A broker that cannot be reached does not stop the wipe.
func (w *wipeCmd) clearRetained(ctx context.Context, t terminal.Terminal, site *config.Site, shown []string) string {
	if w.KeepRetained {
		return "kept at the broker"
	}
	if err := publisher.ClearRetained(ctx, site, shown); err != nil {
		fmt.Fprintf(t.Err, "kerb: %s\n", strings.ReplaceAll(err.Error(), "\n", "\nkerb: "))
		return "NOT cleared at the broker: see firmware-notes/decommission.md"
	}
	return "cleared at the broker"
}

// writeAndDestroyAudit logs the wipe, writes the certificate, and only then destroys
// the audit log. Where the certificate cannot be written, or an item could not be
// destroyed, the log stays, as the only record of the wipe.
func (w *wipeCmd) writeAndDestroyAudit(t terminal.Terminal, site *config.Site, log *audit.Log, c *wipe.Certificate) error {
	if err := log.Append("wipe", map[string]any{"complete": c.Complete, "destroyed": c.Destroyed}); err != nil {
		return err
	}
	dir := filepath.Join(site.Device.State, state.AuditDir)
	report, err := audit.VerifyLog(dir, func(audit.Entry) error { return nil })
	c.Audit = wipe.AuditEnd{First: report.First, Head: log.Head(), Holds: err == nil}
	if err != nil {
		c.Audit.Why = err.Error()
	}
	files, err := audit.LogFiles(dir)
	if err != nil {
		return err
	}
	var last []wipe.Item
	for _, f := range files {
		a := wipe.Item{Path: f, Kind: wipe.AuditKind}
		if err := a.HashFile(); err != nil {
			return err
		}
		a.How = "destroyed after this certificate was written"
		last = append(last, a)
	}
	if c.Complete {
		c.Destroyed = append(c.Destroyed, last...)
	}
	if err := c.Print(t.Out, w.JSON); err != nil {
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
	return errors.Join(os.Remove(dir), state.SyncDir(site.Device.State))
}

// confirmName lists the items and asks for the name of the device; another answer is
// an error. With -yes it does not ask.
func (w *wipeCmd) confirmName(t terminal.Terminal, name string, items []wipe.Item) error {
	if w.Yes {
		return nil
	}
	for _, x := range items {
		fmt.Fprintf(t.Err, "kerb: will be destroyed: %-9s %s\n", x.Kind, x.Path)
	}
	fmt.Fprintf(t.Err, "kerb: type the name of this device to go on (%s): ", name)
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != name {
		return fmt.Errorf("%q is not %s: nothing was destroyed", strings.TrimSpace(line), name)
	}
	return nil
}
