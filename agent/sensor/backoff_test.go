package sensor

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

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

func TestARepeatedErrorIsLoggedOnce(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	var c backoff
	now := time.Unix(1e9, 0)
	for range 3600 {
		c.delayAfter(errors.New("no route"), 0, false)
		c.logLoss(log, "camera lost", errors.New("no route"), now)
		now = now.Add(time.Second)
	}
	if n := strings.Count(b.String(), "\n"); n != 6 || !strings.Contains(b.String(), "not_told=599") {
		t.Errorf("%d lines in an hour:\n%s", n, b.String())
	}
	c.logLoss(log, "camera lost", errors.New("another"), now)
	c.delayAfter(errors.New("another"), 2*time.Minute, true)
	c.logLoss(log, "camera lost", errors.New("another"), now)
	if n := strings.Count(b.String(), "err=another"); n != 2 {
		t.Errorf("another loss, and the same after minutes of pictures, are told %d times", n)
	}
}
