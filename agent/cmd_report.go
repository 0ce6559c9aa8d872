package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"kerb/agent/admission"
	"kerb/agent/report"
	"kerb/agent/terminal"
)

// reportCmd is kerb report: it writes a bundle for support.
type reportCmd struct {
	admission.Files
	Out string `arg:"" optional:"" name:"FILE" help:"The bundle; left out: kerb-report-TIME.tar.gz in this folder."`
}

// Help is the long help: the content of the bundle, and the limits of it.
func (r *reportCmd) Help() string {
	return `Writes one .tar.gz for support: version, status, both files, what kerb check says, the walls as measured, hardware, clock, disk, and the last lines of the log. It never holds a picture, a count, a password, a key, a token, or user and query of a URL. The bundle is text: read it before you send it.`
}

// Run writes the bundle to a new file, which only its owner may read.
func (r *reportCmd) Run(ctx context.Context, t terminal.Terminal) (err error) {
	now := time.Now()
	path := cmp.Or(r.Out, "kerb-report-"+now.UTC().Format("20060102-150405")+".tar.gz")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	b := report.Bundle{SitePath: r.Site, PolicyPath: r.Policy, Version: versionName(), Check: func() error {
		_, _, err := loadFiles(&r.Files)
		return err
	}}
	names, err := b.Write(ctx, f, now)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	for _, n := range names {
		fmt.Fprintln(t.Err, "kerb:", n)
	}
	_, err = fmt.Fprintln(t.Out, path)
	return err
}
