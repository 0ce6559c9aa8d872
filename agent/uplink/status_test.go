package uplink

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTheStatusTellsWhyThereIsNoConnectionAndWhenItIsTriedAgain(t *testing.T) {
	u := testUplink(t, nil) // no broker listens on its port
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = u.Run(ctx) })
	defer running.Wait()
	defer cancel()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		s := u.Status()
		if s.Refusal != "" {
			if s.Connected || s.Online || !strings.Contains(s.Refusal, "connection refused") || s.Retry.IsZero() || s.Broker != "mqtt://127.0.0.1:1" {
				t.Errorf("%+v", s)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no word in a minute: %+v", s)
		}
	}
}
