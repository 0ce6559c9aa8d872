// Package relay runs at the centre: it takes released windows from the broker and
// writes them in the formats that cities publish, to files, by HTTP or to another
// broker. Devices gain no new way out by it.
//
// Delivery is at least once from the broker to the sink. A message is acknowledged to
// the broker when its windows are committed to the relay's own file (bbolt, one synced
// transaction), and a window leaves that file when the sink has it: after fsync, a status
// 2xx or a PUBACK. Then the device is told by the command watermark, where its policy
// allows that. Windows that are missing by their numbers are asked for with the command
// resend. Files are exact: bytes beyond the last commit are written again in
// its place (see files). By HTTP and MQTT a window can come twice after a crash.
//
// It refuses windows whose tenant, site or device is not that of their topic, and keeps
// no window longer than the sink needs it: the ledger (see Ledger) has sums and marks alone.
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kerb/agent/uplink"
)

// Opts configures a relay. Broker, Format, Out and Dir must be set.
type Opts struct {
	Broker       string // mqtt[s]://host[:port] or ws[s]://host[:port]/path
	User         string
	PasswordFile string
	TLS          uplink.TLS
	ClientID     string // "": made for the position, the same after a restart
	Topics       string // filter below kerb/v1/: tenant/site/device; "": +/+/+

	Format  string // a name of FormatNames
	Out     string // a folder, http[s]:// or mqtt[s]:// (formats with topics)
	OutAuth string // file with the value of the header Authorization, or the user name of the MQTT sink; "": none
	OutCA   string // PEM; the only authorities accepted for Out; "": the system's
	Country string // two letters, for publishers' names in DATEX II
	MadeUp  bool   // write made-up streams, too

	HomeAssistant bool // announce the streams to Home Assistant on the same broker

	Dir         string // of the position, relay.db
	MostWaiting int64  // bytes of windows that wait for the sink; 0: 20 GiB. Further ones stay at their devices

	Batch   int           // most windows of one document; 0: 500
	Gather  time.Duration // how long windows are collected for one document
	Confirm time.Duration // least time between two watermarks of a stream; 0: none are sent
	Ask     time.Duration // least time between two questions for the same windows; 0: none is asked
	Keep    time.Duration // of the ledger; 0: 35 days

	Log *slog.Logger // nil: no log
}

// defaults chosen by hand.
const (
	defaultBatch = 500
	defaultKeep  = 35 * 24 * time.Hour
)

// Relay runs with Run, once.
type Relay struct {
	o      Opts
	db     *position
	format format
	sink   sink
	log    *slog.Logger
	now    func() time.Time
	free   func(dir string) int64 // bytes of its disk

	full   atomic.Bool // too much waits for the sink
	noDisk bool        // of these: because of the disk

	wake     chan struct{} // the queue has windows
	ready    chan struct{} // closed when the first subscription has brought the retained messages
	readyOne sync.Once
	commands *commands
}

// Run opens the position and relays until ctx ends. It returns an error for options
// that cannot be used and for a position that cannot be written.
func Run(ctx context.Context, o Opts) error {
	r, err := open(o)
	if err != nil {
		return err
	}
	defer r.db.close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failures := make(chan error, 4)
	var running sync.WaitGroup
	for _, f := range []func(context.Context) error{r.receive, r.deliver, r.tidy, r.serveLedger} {
		running.Go(func() {
			failures <- f(ctx)
			stop()
		})
	}
	running.Wait()
	close(failures)
	for f := range failures {
		if f != nil && !errors.Is(f, context.Canceled) {
			err = errors.Join(err, f)
		}
	}
	return err
}

// open checks the options and opens position and sink.
func open(o Opts) (*Relay, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	if o.Keep <= 0 {
		o.Keep = defaultKeep
	}
	if o.MostWaiting <= 0 {
		o.MostWaiting = defaultMostWaiting
	}
	make, ok := formats[o.Format]
	if !ok {
		return nil, fmt.Errorf("format %q: must be one of %s", o.Format, strings.Join(FormatNames(), ", "))
	}
	if _, _, err := uplink.BrokerAddress(o.Broker, o.TLS); err != nil {
		return nil, err
	}
	if o.Topics == "" {
		o.Topics = "+/+/+"
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the position: %w", err)
	}
	db, err := openPosition(filepath.Join(o.Dir, positionFile), o.Format+" "+o.Out, time.Now())
	if err != nil {
		return nil, err
	}
	r := &Relay{
		o: o, db: db, format: make(o), log: o.Log, now: time.Now, free: freeBytes,
		wake: newSignal(), ready: newReady(), commands: newCommands(),
	}
	if r.sink, err = openSink(o, db); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return r, nil
}

func newSignal() chan struct{} { return make(chan struct{}, 1) }
func newReady() chan struct{}  { return make(chan struct{}) }

// signal wakes a goroutine that waits for ch. It never blocks.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// tidy deletes windows older than Keep, at the start and every hour.
func (r *Relay) tidy(ctx context.Context) error {
	for {
		if err := r.db.deleteBefore(r.now().Add(-r.o.Keep)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Hour):
		}
	}
}

// FormatNames returns the names of the formats.
func FormatNames() []string {
	var names []string
	for n := range formats {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
