package publisher

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync/atomic"

	"kerb/agent/admission"
	"kerb/agent/cage"
	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/agent/policy"
	"kerb/agent/uplink"
)

// Build identifies the program for the birth message.
type Build struct {
	Version  string
	Networks []Network // in the binary, in the order in which records number them
}

// handoverFD is the descriptor of this process's end of the handover: the first one
// after standard error.
const handoverFD = 3

// Run is the process kerb uplink. It opens the spool and the uplink, raises the
// walls, then stores and sends the tallies that arrive on standard input until
// that ends. It writes heartbeats and the numbers of stored records to standard
// output. An error is that of the spool, of the site's broker or comparisons, of
// the walls, or of a record that is not allowed.
func Run(ctx context.Context, site *config.Site, d admission.Decision, build Build, log *slog.Logger) error {
	conn, err := handover.NewConn(os.NewFile(handoverFD, "handover"))
	if err != nil {
		return err
	}
	queries := inheritQueries()
	child.LoadRootCAs(site.Broker.URL)
	clk, synced := clock.Clock{Floor: site.Device.ClockFloor}, new(atomic.Bool)
	db, err := OpenStore(site.Device.State, d.Policy, clk, synced, StoreOpts(site)...)
	if err != nil {
		return err
	}
	LogStart(log, db.Start())
	p := &publisher{
		files: newSupervisorFiles(conn, site.Broker), site: site, clock: clk, in: os.Stdin, out: os.Stdout, state: newDeviceState(site, d),
		inbox: &wantInbox{dir: site.Device.State, out: os.Stdout, log: log},
	}
	p.Clearer = Clearer{Policy: d.Policy, Store: db, Streams: site.Streams(), Synced: synced, Log: log}
	up, err := p.prepare(build)
	if err == nil {
		err = p.raiseWalls()
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	if queries != nil {
		go p.answerQueries(queries, up.Status)
	}
	return p.serve(ctx, up)
}

// Inside is what RunInside has in the place of what a process inherits.
type Inside struct {
	In      io.Reader     // the supervisor's records
	Out     io.Writer     // for heartbeats and ipc.Stored
	Queries io.ReadWriter // the supervisor's questions
	Clock   clock.Clock
	Tune    func(*uplink.Opts) // changes the options of the uplink; nil: none
}

// RunInside is Run inside another process, without walls: for tests that play the whole
// way from a sensor to a broker. Its arguments and errors are those of Run.
func RunInside(ctx context.Context, site *config.Site, d admission.Decision, build Build, pipes Inside, log *slog.Logger) error {
	synced := new(atomic.Bool)
	db, err := OpenStore(site.Device.State, d.Policy, pipes.Clock, synced, StoreOpts(site)...)
	if err != nil {
		return err
	}
	p := &publisher{
		site: site, clock: pipes.Clock, in: pipes.In, out: pipes.Out, state: newDeviceState(site, d),
		inbox: &wantInbox{dir: site.Device.State, out: pipes.Out, log: log},
	}
	p.Clearer = Clearer{Policy: d.Policy, Store: db, Streams: site.Streams(), Synced: synced, Log: log}
	p.tune = pipes.Tune
	up, err := p.prepare(build)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	go p.answerQueries(pipes.Queries, up.Status)
	return p.serve(ctx, up)
}

// prepare makes the uplink and everything else that needs files which the walls
// close.
func (p *publisher) prepare(build Build) (*uplink.Uplink, error) {
	o := UplinkOpts(p.site, p.Policy, build.Version, p.Store, p.clock, p.Log)
	if p.files != nil {
		o.Dial, o.ReadFile = p.files.dial, p.files.readFile
	}
	if p.Policy.AllowsCommand(string(policy.Want)) {
		o.OnWant = p.inbox.put
	}
	o.AgentReport, o.AgentTriggers = p.state.report, p.state.watching
	p.state.detectors = NewDetectorReport(p.site, build.Networks)
	if p.tune != nil {
		p.tune(&o)
	}
	up, err := uplink.New(o)
	if err != nil {
		return nil, err
	}
	p.OnStored = up.Wake
	for _, c := range p.site.Comparisons {
		pair, err := NewComparison(c, p.Policy, p.site.Streams())
		if err != nil {
			return nil, err
		}
		p.Pairs = append(p.Pairs, pair)
	}
	return up, p.recallLastWindow()
}

// raiseWalls raises the walls and keeps their report.
func (p *publisher) raiseWalls() error {
	report, err := child.RaiseWalls(cage.Uplink().State(p.site.Device.State), p.site.Device.Strict, p.Log)
	if err != nil {
		return err
	}
	p.state.setOwnWalls(report)
	return nil
}
