package main

import (
	"context"

	"kerb/agent/admission"
	"kerb/agent/publisher"
)

// uplinkCmd is kerb uplink: the process with a network. It reads tallies from
// standard input, clears them, stores the Releases in the spool and sends messages
// to the broker. Only kerb run starts it.
type uplinkCmd struct{ admission.ChildFlags }

func (s *uplinkCmd) Run(ctx context.Context) error {
	site, d, log, err := startChild(s.ChildFlags)
	if err != nil {
		return err
	}
	return publisher.Run(ctx, site, d, publisher.Build{Version: versionName(), Networks: builtInNetworks()}, log)
}
