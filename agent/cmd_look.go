package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"kerb/agent/child"
	"kerb/agent/config"
	"kerb/agent/sensor"
	"kerb/agent/terminal"
)

// lookCmd is kerb look: the process that looks at one camera for kerb probe and kerb
// check -connect, within the walls of senseCmd.
type lookCmd struct {
	Camera string `arg:"" help:"Its name in site.toml."`
	Site   string `help:"The engineer's file." default:"/etc/kerb/site.toml" placeholder:"F"`
}

func (l *lookCmd) Run(ctx context.Context) error {
	child.ShrinkHeap()
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // the parent ends it
	site, err := config.Load(l.Site)
	if err != nil {
		return err
	}
	c, ok := site.FindCamera(l.Camera)
	if !ok {
		return terminal.UsageError("no camera is called " + l.Camera)
	}
	return sensor.RunLook(ctx, c, site.Device.Strict)
}
