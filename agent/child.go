package main

import (
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"kerb/agent/admission"
	"kerb/agent/child"
	"kerb/agent/config"
	"kerb/agent/logbook"
	"kerb/agent/model"
	"kerb/agent/publisher"
	"kerb/counting/neural/nets"
)

// startChild prepares a child process of kerb run: it limits the heap, ignores the
// terminal's signals and reads both files. The files must have the supervisor's
// fingerprint, because both sides number the streams by their order in site.toml.
func startChild(flags admission.ChildFlags) (*config.Site, admission.Decision, *slog.Logger, error) {
	child.ShrinkHeap()
	// A terminal signals the whole process group, and the supervisor ends its
	// processes itself, in order.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	flags.SiteText = flags.Copy
	site, d, err := loadOwn(flags.Files)
	if err != nil {
		return nil, d, nil, err
	}
	now, err := flags.ReadFingerprint(d)
	if err != nil {
		return nil, d, nil, err
	}
	if now != flags.Fingerprint {
		return nil, d, nil, errors.New("site.toml or policy.toml changed since kerb run read them: restart kerb")
	}
	return site, d, slog.New(slog.NewTextHandler(logbook.New(os.Stderr, time.Now), &slog.HandlerOptions{Level: flags.LogLevel(), ReplaceAttr: child.DropTime})), nil
}

// builtInNetworks lists the networks in this binary with the hashes of their
// files, in the order in which the processes number them.
func builtInNetworks() (all []publisher.Network) {
	for _, name := range nets.Names() {
		all = append(all, publisher.Network{Name: name, SHA256: model.Sum(nets.ReadNet(name))})
	}
	return all
}
