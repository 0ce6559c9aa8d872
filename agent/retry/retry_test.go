package retry

import (
	"context"
	"testing"
	"time"
)

func TestDelayDoublesUpToItsBound(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: 1, 1: 2, 2: 4, 5: 32, 7: 100, 1 << 30: 100} {
		if got := Delay(time.Second, 100*time.Second, failures); got != want*time.Second {
			t.Errorf("after %d failures %s, want %ds", failures, got, want)
		}
	}
}

func TestJitterSpreadsOverTheWholeDelay(t *testing.T) {
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := JitteredDelay(time.Second, time.Minute, 3)
		least, most = min(least, d), max(most, d)
	}
	if least > time.Second || most < 7*time.Second || most > 8*time.Second+time.Millisecond {
		t.Errorf("delays of %s to %s, want 0 to 8s", least, most)
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if Sleep(ctx, time.Hour) || !Sleep(t.Context(), 0) {
		t.Error("Sleep returned the wrong result")
	}
}
