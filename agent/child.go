package main

import (
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"kerb/agent/admission"
	"kerb/agent/child"
	"kerb/agent/config"
	"kerb/agent/model"
	"kerb/agent/publisher"
	"kerb/counting/neural/nets"
)

// startChild reads the files, which must still be what the supervisor read: both
// sides name a stream by its place in them.
func startChild(i admission.ChildFlags) (*config.Site, admission.Decision, *slog.Logger, error) {
	child.ShrinkHeap()
	// The supervisor ends its processes; a terminal's signal is for it alone.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	site, v, err := loadFiles(i.Files)
	if err != nil {
		return nil, v, nil, err
	}
	now, err := i.ReadFingerprint(v)
	if err != nil {
		return nil, v, nil, err
	}
	if now != i.Fingerprint {
		return nil, v, nil, errors.New("site.toml or policy.toml changed since kerb run read them: restart kerb")
	}
	return site, v, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: i.LogLevel(), ReplaceAttr: child.DropTime})), nil
}

// builtInNetworks lists the networks in this binary with the hashes of their
// files, in the order in which the processes number them.
func builtInNetworks() (all []publisher.Network) {
	for _, name := range nets.Names() {
		n := publisher.Network{Name: name}
		if b := nets.ReadNet(name); b != nil {
			n.SHA256 = model.Sum(b)
		}
		all = append(all, n)
	}
	return all
}
