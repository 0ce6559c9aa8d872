package main

import (
	"io"

	"kerb/agent/admission"
	"kerb/agent/report"
	"kerb/agent/terminal"
)

// acceptanceCmd is kerb acceptance: it writes the acceptance sheet of a site.
type acceptanceCmd struct {
	admission.Files
	Lang string `help:"In which language: ${enum}." enum:"en,de,fr,nl,fi,sv" default:"en"`
}

// Help is the long help: the content of the sheet.
func (a *acceptanceCmd) Help() string {
	return `Writes one HTML file to print: the lines of each camera as they are drawn, in an empty frame, and what the tallies by hand of kerb aim have shown of each line, by light, with a 95 % interval. It holds no picture of the street. The status page of kerb aim has the same sheet.

  kerb acceptance >acceptance.html`
}

// Run writes the sheet to standard output.
func (a *acceptanceCmd) Run(t terminal.Terminal) error { return a.write(t.Out) }

// write writes the sheet.
func (a *acceptanceCmd) write(w io.Writer) error {
	site, d, err := loadFiles(&a.Files)
	if err != nil {
		return err
	}
	return report.WriteAcceptance(w, site, d.Policy.Hash(), versionName(), a.Lang)
}
