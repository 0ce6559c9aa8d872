package main

import (
	"encoding/json"

	"kerb/agent/admission"
	"kerb/agent/terminal"
	"kerb/agent/want"
)

// wantCmd is kerb want: the process that examines the files which the platform wants.
// Only kerb run starts it.
type wantCmd struct{ admission.Files }

func (w *wantCmd) Run(t terminal.Terminal) error {
	v, err := want.Examine(w.Files, loadOwn)
	if err != nil {
		return err
	}
	return json.NewEncoder(t.Out).Encode(v)
}
