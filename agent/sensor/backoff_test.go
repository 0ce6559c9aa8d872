package sensor

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"kerb/agent/handover"
	"kerb/drivers/camera"
)

func TestALostSourceIsOpenedSoonAndOneThatRefusesIsNot(t *testing.T) {
	gone, refused := errors.New("no route"), fmt.Errorf("http://c/: %w", camera.ErrRefused)
	var c backoff
	for i, want := range []time.Duration{250e6, 500e6, 1e9, 1e9} {
		if got := c.delayAfter(gone, 0, false); got != want {
			t.Errorf("loss %d: %v, want %v", i, got, want)
		}
	}
	if got := c.delayAfter(gone, time.Hour, true); got != minReopenDelay {
		t.Errorf("after an hour of pictures: %v", got)
	}
	asked, all := 0, time.Duration(0)
	for ; all < 30*time.Minute; asked++ {
		all += c.delayAfter(refused, 0, false)
	}
	if asked > 9 {
		t.Errorf("a wrong password is tried %d times in half an hour", asked)
	}
	if got := c.delayAfter(gone, 0, false); got > maxReopenDelay {
		t.Errorf("once it is only gone: %v", got)
	}
	if got := c.delayAfter(refused, 0, false); got != minRefusedDelay {
		t.Errorf("refused for the first time after another loss: %v", got)
	}
	if got := c.delayAfter(gone, 0, false); got != maxReopenDelay {
		t.Errorf("gone after one refusal: %v", got)
	}
}

// The supervisor logs why a camera cannot be handed over; its process would log it
// a second time.
func TestALossIsLoggedByTheProcessThatKnowsWhy(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	c := new(backoff)
	c.logLoss(log, "camera lost", fmt.Errorf("get: %w", handover.ErrNotOpened))
	if b.Len() > 0 {
		t.Errorf("logged: %s", &b)
	}
	c.logLoss(log, "camera lost", errors.New("no route"))
	if !strings.Contains(b.String(), `msg="camera lost" err="no route"`) {
		t.Errorf("logged: %q", b.String())
	}
}
