package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"kerb/agent/admission"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/publisher"
	"kerb/agent/terminal"
	"kerb/agent/wipe"
)

// wipeCmd is kerb wipe: it destroys what this device has stored, and prints a
// certificate.
type wipeCmd struct {
	Site string `help:"The site whose device is wiped." default:"/etc/kerb/site.toml" placeholder:"F"`
	Yes  bool   `help:"Do not ask."`
	JSON bool   `help:"The certificate as one JSON object."`

	KeepRetained bool `help:"Leave what the broker retains, as for a device that comes back under its name."`
}

// Help is the long help: which files are destroyed, and which stay.
func (w *wipeCmd) Help() string {
	return `Destroys what this device has stored: the spool, the policy that was last in force, the tallies by hand, the key of kerb prove, the passwords and keys that site.toml names, and last of all the audit log. The certificate goes to standard output: keep it.

First it clears the retained messages state, meta and now at the broker, so that the platform does not take the device for one that is offline. Where the broker cannot be reached it says so and goes on.

Nothing else is touched: not the two files, not certificates, not public keys.`
}

// Run lists the files, asks, and hands the order to package wipe.
func (w *wipeCmd) Run(ctx context.Context, t terminal.Terminal) error {
	site, err := config.Load(w.Site)
	if err != nil {
		return err
	}
	items, left, err := wipe.ListItems(site)
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return fmt.Errorf("nothing to wipe: %s holds nothing of kerb's", site.Device.State)
	}
	if err := w.confirmName(t, site.Device.Name, items); err != nil {
		return err
	}
	shown := publisher.ShownStreams(site.Device.State)
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	return wipe.Order{
		Site: site, Items: items, Left: left, Version: versionName(), Clock: clk, Now: admission.WallClock(clk),
		ClearRetained: func() string { return w.clearRetained(ctx, t, site, shown) },
		Print:         func(c *wipe.Certificate) error { return c.Print(t.Out, w.JSON) },
	}.Run()
}

// clearRetained clears the retained messages of the device, and returns what the
// certificate says of it. A broker that cannot be reached does not stop the wipe.
func (w *wipeCmd) clearRetained(ctx context.Context, t terminal.Terminal, site *config.Site, shown []string) string {
	if w.KeepRetained {
		return "kept at the broker"
	}
	if err := publisher.ClearRetained(ctx, site, shown); err != nil {
		fmt.Fprintf(t.Err, "kerb: %s\n", strings.ReplaceAll(err.Error(), "\n", "\nkerb: "))
		return "NOT cleared at the broker: see firmware-notes/decommission.md"
	}
	return "cleared at the broker"
}

// confirmName lists the items and asks for the name of the device; another answer is
// an error. With -yes it does not ask.
func (w *wipeCmd) confirmName(t terminal.Terminal, name string, items []wipe.Item) error {
	if w.Yes {
		return nil
	}
	for _, x := range items {
		fmt.Fprintf(t.Err, "kerb: will be destroyed: %-9s %s\n", x.Kind, x.Path)
	}
	fmt.Fprintf(t.Err, "kerb: type the name of this device to go on (%s): ", name)
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != name {
		return fmt.Errorf("%q is not %s: nothing was destroyed", strings.TrimSpace(line), name)
	}
	return nil
}
