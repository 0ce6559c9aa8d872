package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"kerb/agent/config"
	"kerb/agent/state"
	"kerb/agent/store"
	"kerb/agent/terminal"
	"kerb/agent/uplink"
)

// spoolCmd is kerb spool: it lists the windows in the spool and checks the file. It
// opens the file read-only.
type spoolCmd struct {
	Site string `help:"Look at the spool of this site." default:"/etc/kerb/site.toml" placeholder:"F"`
	JSON bool   `help:"One JSON object per window."`
	File string `arg:"" optional:"" name:"FILE" help:"The spool file itself."`
}

// Run prints each window and then one line on the whole file; it fails where the file
// is damaged.
func (s *spoolCmd) Run(t terminal.Terminal) error {
	path := s.File
	if path == "" {
		site, err := config.Load(s.Site)
		if err != nil {
			return err
		}
		path = filepath.Join(site.Device.State, state.SpoolFile)
	}
	db, err := store.OpenReadOnly(path)
	if err != nil {
		return err
	}
	defer db.Close()
	windows, pending := 0, 0
	err = db.EachWindow(func(i store.Item) error {
		windows++
		if i.Pending {
			pending++
		}
		return s.printItem(t, i)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := db.CheckFile(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.JSON {
		return nil
	}
	st := db.Stats()
	for _, tomb := range st.Tombstones {
		fmt.Fprintf(t.Out, "dropped  %s %s %d–%d: %s\n", tomb.Epoch[:8], tomb.Stream, tomb.From, tomb.To, tomb.Reason)
	}
	_, err = fmt.Fprintf(t.Out, "%s: whole; epoch %s, %d windows, %d not delivered, %d KiB of at most %d\n",
		path, st.Epoch, windows, pending, st.Used>>10, st.Limit>>10)
	return err
}

// printItem prints one window, as a line or as the JSON of its message.
func (s *spoolCmd) printItem(t terminal.Terminal, i store.Item) error {
	if s.JSON {
		return json.NewEncoder(t.Out).Encode(struct {
			Window  json.RawMessage `json:"window"`
			Pending bool            `json:"pending"`
		}{uplink.EncodeWindow(uplink.Address{}, i.Entry), i.Pending})
	}
	state := "delivered"
	if i.Pending {
		state = "pending"
	}
	_, err := fmt.Fprintf(t.Out, "%-9s %s %-20s %7d  %s  %s\n", state, i.Epoch[:8], i.Release.Stream(), i.Seq,
		i.Release.StartTime().Format(time.RFC3339), i.Release.Quality())
	return err
}
