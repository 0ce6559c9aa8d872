package transparency

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"kerb/agent/audit"
	"kerb/agent/state"
	"kerb/agent/store"
	"kerb/agent/uplink"
)

// audit reads the head of the audit log, and since when the policy is in force by it.
func (c collector) audit() (Fact[AuditHead], Fact[string]) {
	since := "" // by the log's newest policy_admitted with this hash
	report, err := audit.VerifyLog(filepath.Join(c.Site.Device.State, state.AuditDir), func(e audit.Entry) error {
		var data struct {
			Policy string `json:"policy"`
		}
		if e.Kind == "policy_admitted" && json.Unmarshal(e.Data, &data) == nil && data.Policy == c.Decision.Policy.Hash() {
			since = e.At.UTC().Format(time.RFC3339)
		}
		return nil
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

// readHeld counts the windows in the spool at path.
func readHeld(path string) (h Held) {
	err := eachWindow(path, func(i store.Item) {
		h.Windows++
		if i.Pending {
			h.Pending++
		}
		if at := i.Release.StartTime().UTC().Format(time.RFC3339); h.Oldest == "" || at < h.Oldest {
			h.Oldest = at
		}
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // without a spool nothing is held
		h.Unread = "the spool could not be read: it is in use while kerb runs, or damaged"
	}
	return h
}

// ReadWindows returns the messages of all windows in the spool at path that ended after
// since, as the broker gets them.
func ReadWindows(path string, device uplink.Address, since time.Time) (all []json.RawMessage, err error) {
	err = eachWindow(path, func(i store.Item) {
		if i.Release.EndTime().After(since) {
			all = append(all, uplink.EncodeWindow(device, i.Entry))
		}
	})
	return all, err
}

// eachWindow calls visit with every window of the spool at path.
func eachWindow(path string, visit func(store.Item)) error {
	db, err := store.OpenReadOnly(path)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.EachWindow(func(i store.Item) error {
		visit(i)
		return nil
	})
}
