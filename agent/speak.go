package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"kerb/agent/cage"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/counting"
	"kerb/counting/loop"
	"kerb/counting/vision/health"
)

// speak is the process that speaks: numbers in on standard input, Releases
// into the spool, messages to the broker.
type speak struct{ inner }

func (s *speak) Run(ctx context.Context) error {
	site, v, log, err := s.enter()
	if err != nil {
		return err
	}
	trust(site.Broker.URL)
	pol, clk := v.policy, clock.Clock{Floor: site.Device.ClockFloor}
	believed := new(atomic.Bool)
	db, err := openStore(site.Device.State, pol, clk, believed)
	if err != nil {
		return err
	}
	w := &writer{site: site, clock: clk, out: os.Stdout, condition: newCondition(site, v)}
	o := uplinkOpts(site, pol, db, clk, log)
	o.Report = w.condition.report
	see := newSeers(site)
	o.Birth.Sensors = func() []uplink.Sensor { return see.tell(w.condition.sight) }
	up, err := uplink.New(o)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w.accountant = accountant{policy: pol, store: db, stored: up.Wake, streams: site.Streams(), believed: believed, log: log}
	for _, c := range site.Compare {
		p, err := newCompared(c)
		if err != nil {
			return errors.Join(err, db.Close())
		}
		w.pairs = append(w.pairs, p)
	}
	if err := w.recall(); err != nil {
		return errors.Join(err, db.Close())
	}
	role, err := speaker(site)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	report, err := wall(role, site.Device.Strict, log)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w.condition.own(report)
	return w.serve(ctx, up)
}

// speaker is the role that fits the site's broker.
func speaker(site *config.Site) (cage.UplinkRole, error) {
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
	// Their directories, because a file that is renewed is another file.
	seen := map[string]bool{}
	b := site.Broker
	for _, file := range []string{b.PasswordFile, b.CAFile, b.CertFile, b.KeyFile} {
		if dir := filepath.Dir(file); file != "" && !seen[dir] {
			seen[dir] = true
			role = role.Read(dir)
		}
	}
	return role, nil
}

// A writer takes what the supervisor sends and accounts for itant.
type writer struct {
	accountant
	site      *config.Site
	clock     clock.Clock
	out       io.Writer
	condition *condition

	recalled time.Duration // up to which monotonic time an uplink before this one stored windows of this boot
	window   *parcel.Window
	tallies  []counting.Tally
}

// recall finds out what an uplink before this one stored: a window that comes
// again must not be cleared again, since noise is drawn once.
func (w *writer) recall() error {
	boot := clock.BootID()
	return w.store.Each(func(i store.Item) error {
		if i.Boot == boot {
			w.recalled = max(w.recalled, i.Release.Mono())
		}
		return nil
	})
}

// serve works until the supervisor says Finish or is gone.
func (w *writer) serve(ctx context.Context, up *uplink.Uplink) error {
	sending, hangUp := context.WithCancel(ctx)
	defer hangUp()
	var sender, heart sync.WaitGroup
	sender.Go(func() {
		if err := up.Run(sending); err != nil {
			w.log.Error("uplink ended", "err", err)
		}
	})
	heart.Go(func() {
		for sending.Err() == nil && parcel.Write(w.out, &parcel.Alive{Watching: up.Online()}) == nil {
			select {
			case <-time.After(time.Second):
			case <-sending.Done():
			}
		}
	})
	err := w.read(os.Stdin)
	switch {
	case errors.Is(err, errFinished):
		for end := time.Now().Add(lastChance); time.Now().Before(end) && w.store.Stats().Pending > 0; {
			time.Sleep(20 * time.Millisecond)
		}
		err = nil
	case errors.Is(err, io.EOF): // killed: no time for goodbyes
		return w.store.Close()
	}
	hangUp()
	sender.Wait()
	heart.Wait()
	return errors.Join(err, w.store.Close())
}

// errFinished is the end that the supervisor asked for.
var errFinished = errors.New("finished")

func (w *writer) read(in io.Reader) error {
	for {
		m, err := parcel.Read(in)
		if err != nil {
			return err
		}
		n, err := w.take(m)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := parcel.Write(w.out, &parcel.Stored{N: n}); err != nil {
				return err
			}
		}
	}
}

// take handles one message. It returns the number up to which everything is
// stored now, if that is news.
func (w *writer) take(m parcel.Message) (uint64, error) {
	if w.window != nil {
		if _, ok := m.(*parcel.Tally); !ok {
			return 0, fmt.Errorf("%T within a window", m)
		}
	}
	switch m := m.(type) {
	case *parcel.Begin:
		w.begun = m.Mono
		if v := w.condition.book.verdict; m.First && v.refused != nil {
			w.store.Note("policy_refused", map[string]any{"why": v.refused.Error(), "in_force": v.policy.Hash()})
		}
	case *parcel.Window:
		if int(m.Tallies) != len(w.streams) {
			return 0, fmt.Errorf("a window of %d streams where there are %d", m.Tallies, len(w.streams))
		}
		w.window, w.tallies = m, w.tallies[:0]
	case *parcel.Tally:
		return w.tally(m)
	case *parcel.Step:
		w.store.Note("clock_step", jump(clock.Step{Mono: m.Mono, From: m.From.Time(), To: m.To.Time(), Synced: m.Synced}))
		return m.N, nil
	case *parcel.Event:
		w.tellEnd(m)
		return m.N, nil
	case *parcel.Alive:
		w.condition.heard(int(m.Sensor), m)
	case *parcel.Walls:
		w.condition.measured(int(m.Sensor), m)
	case *parcel.Fault:
		w.tellFault(m)
		return m.N, nil
	case *parcel.View:
		if int(m.Sensor) < len(w.site.Cameras) {
			noteView(w.store, w.site.Cameras[m.Sensor].Name)(health.Fault(m.Fault), m.On)
		}
		return m.N, nil
	case *parcel.Aim:
		data := aimData(w.site, m)
		data["act"] = aimWord(m)
		w.store.Note("aim", data)
		return m.N, nil
	case *parcel.Head:
		w.condition.head(m)
	case *parcel.Board:
		w.condition.boardIs(m)
	case *parcel.Finish:
		return 0, errFinished
	}
	return 0, nil
}

// tally adds one stream to the window, and enters the window when it is whole.
func (w *writer) tally(m *parcel.Tally) (uint64, error) {
	if w.window == nil || int(m.Stream) != len(w.tallies) {
		return 0, errors.New("a tally out of its order")
	}
	t, err := m.Unpack(w.streams[m.Stream], w.window)
	if err != nil {
		return 0, err
	}
	if w.tallies = append(w.tallies, t); len(w.tallies) < len(w.streams) {
		return 0, nil
	}
	window := w.window
	w.window = nil
	if err := w.resume(w.clock.Read()); err != nil {
		return 0, err
	}
	if window.Mono > w.recalled {
		if err := w.enter(w.tallies, window.Synced); err != nil {
			return 0, err
		}
	}
	w.store.Tend()
	return window.N, nil
}

func (w *writer) tellEnd(e *parcel.Event) {
	if names := posted(w.site); int(e.Sensor) < len(names) {
		w.store.Note("sense_lost", map[string]any{"sensor": names[e.Sensor], "why": whyEnded(e.Why)})
	}
}

func (w *writer) tellFault(f *parcel.Fault) {
	lines := w.site.Loops.Lines
	if int(f.Stream) < len(w.streams) && int(f.Line) < len(lines) {
		noteFault(w.store)(loop.Event{
			Stream: w.streams[f.Stream].ID, Line: lines[f.Line].Name, Fault: loop.Fault(f.Bits), On: f.On, N: f.Count,
		})
	}
}

// posted names the sensing processes of a site in their order: the cameras,
// then the loops.
func posted(site *config.Site) (names []string) {
	for _, c := range site.Cameras {
		names = append(names, c.Name)
	}
	if len(site.Loops.Lanes) > 0 {
		names = append(names, "loops")
	}
	return names
}

func whyEnded(why uint8) string {
	return map[uint8]string{parcel.Ended: "ended", parcel.Stalled: "stalled", parcel.Malformed: "malformed"}[why]
}
