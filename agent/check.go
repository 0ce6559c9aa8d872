package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/uplink"
)

// files are the two files that most commands read.
type files struct {
	Site   string `help:"The engineer's file." default:"/etc/kerb/site.toml" placeholder:"F"`
	Policy string `help:"The reviewer's file." default:"/etc/kerb/policy.toml" placeholder:"F"`
}

// load reads both files, decides whether the device takes the policy, and
// checks one file against the other. Whatever is wrong with either is reported
// at once. The policy in force may be an earlier one: see verdict.
func (f files) load() (*config.Site, verdict, error) {
	site, err := config.Load(f.Site)
	if err == nil {
		if err = checkModels(site); err == nil {
			err = checkLoops(site)
		}
	}
	if err != nil {
		_, perr := policy.Load(f.Policy)
		return nil, verdict{}, errors.Join(err, perr)
	}
	v, err := judge(f.Policy, site)
	if err != nil {
		return nil, v, err
	}
	if cs := v.policy.Check(asked(site)); len(cs) > 0 {
		return nil, v, conflictError(cs)
	}
	return site, v, nil
}

// conflictError is what the site asks for and the policy forbids.
type conflictError []policy.Conflict

func (e conflictError) Error() string {
	lines := make([]string, len(e))
	for i, c := range e {
		lines[i] = c.Error()
	}
	return strings.Join(lines, "\n") + "\nhint: the policy decides; ask for less, or ask its controller"
}

// asked is the site in the policy's words.
func asked(s *config.Site) policy.Site {
	out := policy.Site{At: s.At("")}
	for i, c := range s.Cameras {
		key := fmt.Sprintf("camera[%d]", i)
		out.Cameras = append(out.Cameras, policy.Camera{Name: c.Name, At: s.At(key + ".name"), Masks: len(c.Masks)})
		for j, st := range c.Streams() {
			at := fmt.Sprintf("%s.line[%d].id", key, j)
			if j >= len(c.Lines) {
				at = fmt.Sprintf("%s.zone[%d].id", key, j-len(c.Lines))
			}
			out.Streams = append(out.Streams, policy.Stream{Stream: st, At: s.At(at)})
		}
	}
	for i, st := range s.Loops.Streams() {
		out.Streams = append(out.Streams, policy.Stream{Stream: st, At: s.At(fmt.Sprintf("loop.lane[%d].id", i))})
	}
	return out
}

type check struct {
	files
	Connect bool `help:"Log in at the broker, too."`
	Tell    bool `help:"If something is wrong, say so to the broker in an event, too."`
	JSON    bool `help:"As one JSON object."`
}

func (c *check) Run(ctx context.Context, t terminal) error {
	site, v, err := c.load()
	if err == nil && v.refused != nil {
		err = refusal{v.refused}
	}
	if err != nil {
		if c.Tell {
			if terr := c.tell(ctx, err); terr != nil {
				fmt.Fprintf(t.err, "kerb: the broker could not be told: %v\n", terr)
			} else {
				fmt.Fprintln(t.err, "kerb: the broker was told")
			}
		}
		return err
	}
	pol := v.policy
	if c.Connect {
		if err := tryBroker(ctx, site, pol); err != nil {
			return err
		}
	}
	if c.JSON {
		return json.NewEncoder(t.out).Encode(map[string]any{
			"ok": true, "device": site.Device.Name, "streams": len(site.Streams()), "policy": pol.Hash(), "trust": v.trust.Mode.String(),
		})
	}
	fmt.Fprintf(t.out, "%s and %s fit.\n", c.Site, c.Policy)
	fmt.Fprintf(t.out, "device  %s/%s/%s\nbroker  %s\npolicy  %s, version %d, %s\nwindow  %s, %s\ntrust   %s\n",
		site.Device.Tenant, site.Device.Site, site.Device.Name, site.Broker.URL,
		pol.Title(), pol.Version(), pol.Hash(), pol.Window(), pol.Method(), v)
	for _, cam := range site.Cameras {
		with := ""
		if cam.Model != "" {
			with = " with " + cam.Model
		}
		if cam.Still() {
			with += fmt.Sprintf(", one picture every %s", cam.Asked)
		}
		if len(cam.Hours) > 0 {
			with += fmt.Sprintf(", open %v (%s)", cam.Hours, pol.Zone())
		}
		fmt.Fprintf(t.out, "camera  %s: %s%s\n", cam.Name, cam.Detector, with)
	}
	for _, st := range site.Streams() {
		fmt.Fprintf(t.out, "stream  %-20s %-5s of %s: %v\n", st.ID, st.Kind, st.Sensor, st.Classes)
	}
	for _, line := range ledger(pol, asked(site)) {
		fmt.Fprintln(t.out, line)
	}
	run := "kerb run"
	if _, err := os.Stat("/run/systemd/system"); err == nil && strings.HasPrefix(c.Site, "/etc/kerb/") {
		run = "systemctl enable --now kerb" // as root it would be another user's spool
	}
	next := "kerb check -connect, then " + run
	if c.Connect {
		next = "the broker lets this device in: " + run
	}
	_, err = fmt.Fprintln(t.out, "next   ", next)
	return err
}

// tryBroker logs in and hangs up, with a spool that is thrown away.
func tryBroker(ctx context.Context, site *config.Site, pol *policy.Policy) error {
	dir, err := os.MkdirTemp("", "kerb-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	clk := clock.Clock{Floor: site.Device.ClockFloor}
	db, err := openStore(dir, pol, clk, new(atomic.Bool))
	if err != nil {
		return err
	}
	defer db.Close()
	up, err := uplink.New(uplinkOpts(site, pol, db, clk, slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	return up.Try(ctx)
}
