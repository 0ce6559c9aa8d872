// Package devices runs many real uplinks, each with a spool of its own, for tests of
// brokers at the scale of a city: it switches their current on and cuts it, stores windows
// in their spools, and holds what they have delivered against the relay's ledger.
//
// A power cut closes the sockets without a word of MQTT, and leaves the spools as they are
// on the disk: the next start opens copies of them, as after a crash. It refuses more devices than
// the process may have open files for: each needs one for its spool and one for its
// connection.
package devices

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/store/storetest"
	"kerb/agent/uplink"
	"kerb/counting"
)

// The shipped values of [broker].
const (
	RetryMin = 30 * time.Second
	RetryMax = 300 * time.Second
	Spread   = 30 * time.Second
)

// Opts configures a Fleet.
type Opts struct {
	N       int    // devices
	Streams int    // of each
	Broker  string // mqtt://host:port
	Resend  bool   // the policy allows the command resend
	// Dial returns how device i connects; nil: to Broker.
	Dial func(i int) func(ctx context.Context, network, address string) (net.Conn, error)
}

// Fleet is the devices. Its methods must be called from the goroutine of the test.
type Fleet struct {
	t   *testing.T
	o   Opts
	dir string
	all []*device
}

// device is one device. Its current is on while store is not nil.
type device struct {
	i      int
	starts int // how often its current was switched on
	store  *store.Store
	uplink *uplink.Uplink
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	dead bool // no connection may be made any more
	conn net.Conn
}

// New makes a fleet whose current is off. The spools lie in memory, where that can hold
// files: thousands of spools that sync would measure the disk of this machine.
func New(t *testing.T, o Opts) *Fleet {
	t.Helper()
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil || uint64(2*o.N)+200 > l.Cur {
		t.Fatalf("%d devices need %d open files, and this process may have %d (%v)", o.N, 2*o.N+200, l.Cur, err)
	}
	dir, err := os.MkdirTemp("/dev/shm", "kerb-devices-")
	if err != nil {
		dir = t.TempDir()
	}
	f := &Fleet{t: t, o: o, dir: dir}
	for i := range o.N {
		f.all = append(f.all, &device{i: i})
	}
	t.Cleanup(func() {
		f.PowerCut(0, o.N)
		os.RemoveAll(dir)
	})
	return f
}

// path returns the spool of a device after so many starts.
func (f *Fleet) path(d *device, starts int) string {
	return filepath.Join(f.dir, fmt.Sprintf("%d-%d", d.i, starts))
}

// PowerOn switches the current of the devices from…to-1 on, of all at once.
func (f *Fleet) PowerOn(from, to int) {
	f.t.Helper()
	for _, d := range f.all[from:to] {
		d.starts++
		s, err := store.Open(f.path(d, d.starts), store.WallClock(func() time.Time { return storetest.FirstStart }))
		if err != nil {
			f.t.Fatal(err)
		}
		d.store, d.dead, d.done = s, false, make(chan struct{})
	}
	for _, d := range f.all[from:to] {
		u, err := uplink.New(f.options(d))
		if err != nil {
			f.t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		d.uplink, d.cancel = u, cancel
		go func() {
			defer close(d.done)
			_ = u.Run(ctx)
		}()
	}
}

// options returns the options of a device's uplink.
func (f *Fleet) options(d *device) uplink.Opts {
	dial := (&net.Dialer{}).DialContext
	if f.o.Dial != nil {
		dial = f.o.Dial(d.i)
	}
	var streams []uplink.Stream
	for _, s := range storetest.StreamNames(f.o.Streams) {
		streams = append(streams, uplink.Stream{ID: s, Kind: "line", Classes: []string{"person"}, Directions: []string{"a_to_b", "b_to_a"}})
	}
	var commands []string
	if f.o.Resend {
		commands = []string{"resend"}
	}
	return uplink.Opts{
		Broker: f.o.Broker, Tenant: "acme", Site: fmt.Sprint("junction-", d.i/4), Device: fmt.Sprint("pi-", d.i), Store: d.store,
		Birth: uplink.Birth{
			Version: "test", Window: 15 * time.Minute, Retention: 72 * time.Hour,
			Clearing: policy.Demo().DescribeClearing(counting.LineStream), Streams: streams, Commands: commands,
		},
		RetryMin: RetryMin, RetryMax: RetryMax, Spread: Spread, Log: slog.New(slog.DiscardHandler),
		AllowVerb: func(verb string) bool { return f.o.Resend && verb == "resend" },
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return d.keep(c)
		},
	}
}

// keep notes the connection of a device, or closes it where its current is cut.
func (d *device) keep(c net.Conn) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		c.Close()
		return nil, net.ErrClosed
	}
	d.conn = c
	return c, nil
}

// PowerCut cuts the current of the devices from…to-1, of all at once.
func (f *Fleet) PowerCut(from, to int) {
	f.t.Helper()
	for _, d := range f.all[from:to] {
		d.mu.Lock()
		d.dead = true
		if d.conn != nil {
			_ = d.conn.Close()
		}
		d.mu.Unlock()
		if d.cancel != nil {
			d.cancel()
		}
	}
	for _, d := range f.all[from:to] {
		if d.store == nil {
			continue
		}
		<-d.done
		f.copySpool(d)
		_ = d.store.Close()
		d.store = nil
		for _, path := range spoolFiles(f.path(d, d.starts)) {
			_ = os.Remove(path)
		}
	}
}

// copySpool copies the files of a spool that is open, as a crash leaves them.
func (f *Fleet) copySpool(d *device) {
	f.t.Helper()
	from := f.path(d, d.starts)
	for _, path := range spoolFiles(from) {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(f.path(d, d.starts+1)+path[len(from):], b, 0o600)
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
}

// spoolFiles lists the files of the spool at path.
func spoolFiles(path string) (all []string) {
	for _, suffix := range []string{"", ".witness", ".key"} {
		if _, err := os.Stat(path + suffix); err == nil {
			all = append(all, path+suffix)
		}
	}
	return all
}

// Store stores window i of each stream in the devices from…to-1, whose current must be on.
func (f *Fleet) Store(i, from, to int) {
	f.t.Helper()
	windows := storetest.MakeWindows(storetest.StreamNames(f.o.Streams), i)
	for _, d := range f.all[from:to] {
		if _, err := d.store.Append(windows); err != nil {
			f.t.Fatal(err)
		}
		d.uplink.Wake()
	}
}

// Pending counts the windows that no broker has acknowledged and given back, and the
// devices that may send windows.
func (f *Fleet) Pending() (windows uint64, online int) {
	for _, d := range f.all {
		if d.store == nil {
			continue
		}
		windows += d.store.Stats().Pending
		if d.uplink.IsOnline() {
			online++
		}
	}
	return windows, online
}
