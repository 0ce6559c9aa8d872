package main

import (
	"time"

	"kerb/agent/admission"
	"kerb/agent/process"
	"kerb/agent/proof"
	"kerb/agent/terminal"
	"kerb/agent/transparency"
	"kerb/agent/transparency/output"
)

// recordCmd is kerb record: the transparency record, its exports, the sign and the page.
type recordCmd struct {
	admission.Files
	output.Flags
}

// Run hands the work to package output, and collects from this device where it asks.
func (r *recordCmd) Run(t terminal.Terminal) error {
	return r.Flags.Run(t, func() (*transparency.Record, error) {
		site, d, err := loadFiles(&r.Files)
		if err != nil {
			return nil, err
		}
		in := transparency.Inputs{Files: r.Files, Site: site, Decision: d, Networks: builtInNetworks(), Now: time.Now()}
		roles := []string{"sense", "uplink", "supervisor"}
		if site.HasDecoder() {
			roles = append(roles, "decode")
		}
		if in.Walls, err = process.MeasureRoles(roles...); err != nil {
			return nil, err
		}
		if in.Build, err = proof.ReadBuild(versionName()); err != nil {
			return nil, err
		}
		return r.Flags.Collect(in)
	})
}
