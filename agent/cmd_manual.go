package main

import (
	"github.com/alecthomas/kong"

	"kerb/agent/manual"
	"kerb/agent/terminal"
)

// manualCmd is kerb manual: it prints the manual page kerb(1) in roff.
type manualCmd struct{}

// Run hands the commands to package manual.
func (manualCmd) Run(k *kong.Context, t terminal.Terminal) error {
	return manual.WritePage(t.Out, k.Model.Node)
}

// completionCmd is kerb completion: it prints a script with which a shell completes
// commands and flags.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run hands the commands to package manual.
func (c completionCmd) Run(k *kong.Context, t terminal.Terminal) error {
	return manual.WriteCompletion(t.Out, c.Shell, k.Model.Node)
}
