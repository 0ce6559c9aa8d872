package street_test

import (
	"context"
	"io"
	"testing"
	"time"

	"kerb/drivers/loop"
	"kerb/drivers/loop/street"
)

func TestStreetRunsInRealTime(t *testing.T) {
	s, err := street.New(street.Opts{Seed: 1, PerHour: 3000, Realtime: true, Lasts: 400 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	begun, last := time.Now(), time.Duration(0)
	buf := make([]loop.Edge, 16)
	for {
		n, now, err := s.ReadEdges(context.Background(), buf)
		if err == io.EOF {
			break
		}
		for _, e := range buf[:n] {
			if e.At < last || e.At > now {
				t.Errorf("edge at %v, after %v, now %v", e.At, last, now)
			}
			last = e.At
		}
	}
	if d := time.Since(begun); d < 400*time.Millisecond {
		t.Errorf("400ms of street took %v", d)
	}
}

func TestBadStreetIsRefused(t *testing.T) {
	for _, o := range []street.Opts{{Pairs: 9}, {Singles: -1}, {PerHour: 9999}} {
		if _, err := street.New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}
