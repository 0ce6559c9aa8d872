package e2e

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
	"kerb/agent/uplink"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openStore(t *testing.T, opts ...store.Option) *store.Store {
	t.Helper()
	opts = append([]store.Option{store.WallClock(func() time.Time { return storetest.FirstStart })}, opts...)
	s, err := store.Open(filepath.Join(t.TempDir(), "spool"), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// run starts an uplink that ends with the test, or when stop is called.
func run(t *testing.T, o uplink.Opts) (u *uplink.Uplink, stop func()) {
	t.Helper()
	o.Tenant, o.Site, o.Device = "acme", "north", "pi-0a1b"
	o.RetryMin, o.RetryMax = 50*time.Millisecond, 300*time.Millisecond
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	u, err := uplink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- u.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return u, stop
}

func fill(t *testing.T, s *store.Store, streams []string, from, to int, between func(i int)) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := s.Append(storetest.MakeWindows(streams, i)); err != nil {
			t.Fatal(err)
		}
		if between != nil {
			between(i)
		}
	}
}

func TestEveryWindowArrivesAlthoughTheBrokerStopsAgainAndAgain(t *testing.T) {
	b := startMosquitto(t, persistent(t)...)
	k := newSink(t, b.url())
	s, streams := openStore(t), storetest.StreamNames(3)
	fill(t, s, streams, 0, 50, nil) // a backlog from before
	u, _ := run(t, uplink.Opts{Broker: b.url(), Store: s})
	fill(t, s, streams, 50, 250, func(i int) {
		u.Wake()
		if i%50 == 0 {
			b.stop()
			b.start()
		}
		time.Sleep(3 * time.Millisecond)
	})
	k.await(750, 20*time.Second)
	k.complete(s.Stats().Epoch, streams, 250)
	t.Log(k)
}

func TestABrokerThatRefusesThePasswordIsOneClearLine(t *testing.T) {
	s := openStore(t)
	b := startMosquitto(t, "allow_anonymous false")
	u, err := uplink.New(uplink.Opts{
		Broker: b.url(), Tenant: "acme", Site: "north", Device: "pi-0a1b", Store: s, User: "kerb",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = u.CheckConnection(t.Context())
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "broker refuses") {
		t.Errorf("got %v", err)
	}
}
