package publisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"kerb/agent/admission"
	"kerb/agent/cage"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/uplink"
)

// Build identifies the program for the birth message.
type Build struct {
	Version  string
	Networks []Network // in the binary, in the order in which records number them
}

// Run is the process kerb uplink. It opens the spool and the uplink, raises the
// walls, then stores and sends the tallies that arrive on standard input until
// that ends. It writes heartbeats and the numbers of stored records to standard
// output. An error is that of the spool, of the site's broker or comparisons, of
// the walls, or of a record that is not allowed.
func Run(ctx context.Context, site *config.Site, d admission.Decision, build Build, log *slog.Logger) error {
	queries := inheritQueries()
	child.LoadRootCAs(site.Broker.URL)
	clk, synced := clock.Clock{Floor: site.Device.ClockFloor}, new(atomic.Bool)
	db, err := OpenStore(site.Device.State, d.Policy, clk, synced, StoreOpts(site)...)
	if err != nil {
		return err
	}
	LogStart(log, db.Start())
	p := &publisher{site: site, clock: clk, out: os.Stdout, state: newDeviceState(site, d)}
	p.Clearer = Clearer{Policy: d.Policy, Store: db, Streams: site.Streams(), Synced: synced, Log: log}
	up, err := p.prepare(build)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	if queries != nil {
		go p.answerQueries(queries, up.Status)
	}
	return p.serve(ctx, up)
}

// prepare makes the uplink and everything else that needs files which the walls
// close, then raises the walls.
func (p *publisher) prepare(build Build) (*uplink.Uplink, error) {
	o := UplinkOpts(p.site, p.Policy, build.Version, p.Store, p.clock, p.Log)
	o.AgentReport, o.AgentTriggers = p.state.report, p.state.watching
	p.state.detectors = NewDetectorReport(p.site, build.Networks)
	up, err := uplink.New(o)
	if err != nil {
		return nil, err
	}
	p.OnStored = up.Wake
	for _, c := range p.site.Comparisons {
		pair, err := NewComparison(c)
		if err != nil {
			return nil, err
		}
		p.Pairs = append(p.Pairs, pair)
	}
	if err := p.recallLastWindow(); err != nil {
		return nil, err
	}
	role, err := wallRole(p.site)
	if err != nil {
		return nil, err
	}
	report, err := child.RaiseWalls(role, p.site.Device.Strict, p.Log)
	if err != nil {
		return nil, err
	}
	p.state.setOwnWalls(report)
	return up, nil
}

// wallRole returns the cage role for the site's broker: a TCP client of the
// broker's port that writes the state directory, resolves names unless the broker
// is an IP address, and reads the directories of the broker's password and
// certificate files. It allows the directories because a renewed file is another
// file. A broker URL without a valid port is an error.
func wallRole(site *config.Site) (cage.UplinkRole, error) {
	u, err := url.Parse(site.Broker.URL)
	if err != nil {
		return cage.UplinkRole{}, err
	}
	text := u.Port()
	if text == "" {
		text = map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}[u.Scheme]
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return cage.UplinkRole{}, fmt.Errorf("port of the broker: %w", err)
	}
	role := cage.Uplink(uint16(port)).State(site.Device.State)
	if net.ParseIP(u.Hostname()) == nil {
		role = role.Names()
	}
	seen := map[string]bool{}
	b := site.Broker
	for _, file := range []string{b.PasswordFile, b.CAFile, b.CertFile, b.KeyFile} {
		if dir := filepath.Dir(file); file != "" && !seen[dir] {
			seen[dir] = true
			role = role.ReadPaths(dir)
		}
	}
	return role, nil
}
