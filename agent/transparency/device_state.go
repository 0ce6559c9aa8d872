package transparency

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"kerb/agent/audit"
	"kerb/agent/config"
	"kerb/agent/publisher"
	"kerb/agent/state"
	"kerb/agent/status"
	"kerb/agent/store"
	"kerb/agent/uplink"
)

// audit reads the head of the audit log, and since when the policy is in force by it.
func (c collector) audit() (Fact[AuditHead], Fact[string]) {
	since := "" // by the log's newest policy_admitted with this hash
	var report audit.Report
	note := func(e audit.Entry) error {
		var data struct {
			Policy string `json:"policy"`
		}
		if e.Kind == "policy_admitted" && json.Unmarshal(e.Data, &data) == nil && data.Policy == c.Decision.Policy.Hash() {
			since = e.At.UTC().Format(time.RFC3339)
		}
		return nil
	}
	err := state.ActAsOwner(c.Site.Device.State, func(dir string) (err error) {
		report, err = audit.VerifyLog(filepath.Join(dir, state.AuditDir), note)
		return err
	})
	head := AuditHead{Seq: report.Head.Seq, Sum: report.Head.Sum, Whole: err == nil}
	source := "verified: every link of the audit log"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		head.Whole, source = false, "there is no audit log: kerb has not run here yet"
	case err != nil:
		source = "the audit log does not hold: see kerb audit verify"
	}
	return byCode(head, source), byCode(since, "audit log, entry policy_admitted")
}

// readAcceptances reads the tallies by hand.
func readAcceptances(dir string) (all []uplink.Acceptance) {
	_ = state.ActAsOwner(dir, func(dir string) error {
		all = publisher.ReadAcceptances(dir)
		return nil
	})
	return all
}

// readHeld counts the windows that a device holds.
func readHeld(d config.Device) (h Held) {
	err := eachWindow(d, func(w status.Window, start, _ time.Time) {
		h.Windows++
		if w.Pending {
			h.Pending++
		}
		if at := start.UTC().Format(time.RFC3339); h.Oldest == "" || at < h.Oldest {
			h.Oldest = at
		}
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // without a spool nothing is held
		h.Unread = "the numbers on the device could not be read: kerb runs and did not tell, or the spool is damaged"
	}
	return h
}

// ReadWindows returns the messages of all windows that a device holds and that ended after
// since, as the broker gets them.
func ReadWindows(d config.Device, since time.Time) (all []json.RawMessage, err error) {
	err = eachWindow(d, func(w status.Window, _, end time.Time) {
		if end.After(since) {
			all = append(all, w.Message)
		}
	})
	return all, err
}

// askTime bounds the time for which a running agent is asked for its windows. Chosen by
// hand.
const askTime = 30 * time.Second

// eachWindow calls visit with every window that a device holds, and its start and end. It
// asks the agent where one runs, because that has the spool open, and else reads the spool.
func eachWindow(d config.Device, visit func(w status.Window, start, end time.Time)) error {
	each := func(w status.Window) error {
		var m struct {
			Start, End time.Time
		}
		if err := json.Unmarshal(w.Message, &m); err != nil {
			return err
		}
		visit(w, m.Start, m.End)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	client, err := status.Dial(ctx, d.State)
	if err == nil {
		defer client.Close()
		return client.Windows(each)
	}
	if !errors.Is(err, status.ErrNotRunning) {
		return err
	}
	address := uplink.Address{Tenant: d.Tenant, Site: d.Site, Device: d.Name}
	return state.ActAsOwner(d.State, func(dir string) error {
		db, err := store.OpenReadOnly(filepath.Join(dir, state.SpoolFile))
		if err != nil {
			return err
		}
		defer db.Close()
		return db.EachWindow(func(i store.Item) error { return each(publisher.PackWindow(address, i)) })
	})
}
