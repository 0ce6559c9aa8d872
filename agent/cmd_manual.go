package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"kerb/agent/config"
	"kerb/agent/manual"
	"kerb/agent/policy"
	"kerb/agent/relay"
	"kerb/agent/terminal"
	"kerb/configs"
	"kerb/drivers/camera/scene"
)

// manualCmd is kerb manual: it prints the manual page kerb(1), site.toml(5) or
// policy.toml(5) in roff.
type manualCmd struct {
	Page string `arg:"" optional:"" enum:"kerb,site.toml,policy.toml" default:"kerb" help:"Which page."`
}

// Run hands the commands, or the keys of a file, to package manual.
func (m *manualCmd) Run(k *kong.Context, t terminal.Terminal) error {
	switch m.Page {
	case "site.toml":
		return manual.WriteFilePage(t.Out, manual.SitePage, config.Keys())
	case "policy.toml":
		return manual.WriteFilePage(t.Out, manual.PolicyPage, policy.Keys())
	}
	return manual.WritePage(t.Out, k.Model.Node)
}

// namesCmd is kerb names: the completion of a shell asks it for names.
type namesCmd struct {
	Kind string `arg:"" enum:"cameras,formats,schemas,scenes" help:"Of what."`
	Site string `help:"The engineer's file." default:"/etc/kerb/site.toml" placeholder:"F"`
}

// Run prints one name a line, and nothing where the file cannot be read.
func (n *namesCmd) Run(t terminal.Terminal) error {
	var names []string
	switch n.Kind {
	case "cameras":
		site, err := config.Load(n.Site)
		if err != nil {
			return nil
		}
		for _, c := range site.Cameras {
			names = append(names, c.Name)
		}
	case "schemas":
		names, _ = configs.DocumentNames() // the list is in the binary
	case "formats":
		names = relay.FormatNames()
	case "scenes":
		names = scene.PresetNames()
	}
	for _, name := range names {
		fmt.Fprintln(t.Out, name)
	}
	return nil
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
