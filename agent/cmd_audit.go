package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"kerb/agent/audit"
	"kerb/agent/config"
	"kerb/agent/state"
	"kerb/agent/terminal"
)

// auditCmd is kerb audit: it reads the log of all changes of this device.
type auditCmd struct {
	List   auditList   `cmd:"" default:"withargs" example:"kerb audit list -json" help:"List the entries."`
	Verify auditVerify `cmd:"" example:"kerb audit verify" help:"Check every link of the chain."`
}

// auditFiles are the flags that name the log.
type auditFiles struct {
	Site string `help:"Look at the log of this site." default:"/etc/kerb/site.toml" placeholder:"F"`
	Dir  string `help:"The log's directory itself." placeholder:"DIR"`
}

// auditDir returns the directory of the log.
func (f auditFiles) auditDir() (string, error) {
	if f.Dir != "" {
		return f.Dir, nil
	}
	site, err := config.Load(f.Site)
	if err != nil {
		return "", err
	}
	return filepath.Join(site.Device.State, state.AuditDir), nil
}

// auditList is kerb audit list: it prints every entry.
type auditList struct {
	auditFiles
	JSON bool `help:"The lines as they stand in the log."`
}

// Run verifies the log while it prints it, and fails at the first broken link. A
// question mark behind a time says that the clock was not synchronised.
func (a *auditList) Run(t terminal.Terminal) error {
	dir, err := a.auditDir()
	if err != nil {
		return err
	}
	return openLog(dir, func(dir string) error {
		_, err := audit.VerifyLog(dir, a.print(t))
		return err
	})
}

// openLog calls f with the path of the log, with the rights of the user that owns the
// state directory.
func openLog(dir string, f func(dir string) error) error {
	dir = filepath.Clean(dir)
	return state.ActAsOwner(filepath.Dir(dir), func(parent string) error { return f(filepath.Join(parent, filepath.Base(dir))) })
}

// print returns the function that prints an entry.
func (a *auditList) print(t terminal.Terminal) func(audit.Entry) error {
	return func(e audit.Entry) error {
		if a.JSON {
			return json.NewEncoder(t.Out).Encode(struct {
				audit.Entry
				Sum string `json:"sum"`
			}{e, e.Sum})
		}
		synced := " "
		if !e.Synced {
			synced = "?"
		}
		_, err := fmt.Fprintf(t.Out, "%6d  %s%s %-16s %s\n", e.Seq, e.At.Format(time.RFC3339), synced, e.Kind, e.Data)
		return err
	}
}

// auditVerify is kerb audit verify: it checks the hash chain of the log, and that the
// log still holds an entry that a state message reported.
type auditVerify struct {
	auditFiles
	Head string `help:"A head that a state message told: the log must hold it." placeholder:"SEQ:SUM"`
	JSON bool   `help:"As one JSON object."`
}

// Run tells apart a log that was cut off, one that was replaced and one that expired.
func (a *auditVerify) Run(t terminal.Terminal) error {
	dir, err := a.auditDir()
	if err != nil {
		return err
	}
	reported, err := audit.ParseHead(a.Head)
	if err != nil {
		return terminal.UsageError("-head " + err.Error())
	}
	var r audit.Report
	err = openLog(dir, func(dir string) (err error) {
		r, err = audit.VerifyHead(dir, reported)
		return err
	})
	if err != nil {
		return err
	}
	if a.JSON {
		return json.NewEncoder(t.Out).Encode(map[string]any{"ok": true, "first": r.First, "head": r.Head})
	}
	_, err = fmt.Fprintf(t.Out, "%s: whole; entries %d–%d, head %d:%s\n", dir, r.First, r.Head.Seq, r.Head.Seq, r.Head.Sum)
	return err
}
