package sensor

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"kerb/drivers/camera"
)

// What is gone is tried again after firstRetry, then ever more slowly, but never
// so slowly that the engineer who plugs it in again waits for it: to try costs a
// handful of packets. A camera that refuses the password is asked far less often,
// as many lock a user out who gives a wrong one a few times in half an hour.
const (
	minRetryDelay = 250 * time.Millisecond
	LastRetry     = time.Second
	firstRefused  = 10 * time.Second
	lastRefused   = 10 * time.Minute
	sayAgain      = 10 * time.Minute // the same words, to a log that lies on a card
)

// A comeback is how something that was lost is tried again, and told of.
type retry struct {
	delay  time.Duration
	said   string
	at     time.Time
	untold int // times since then that it was lost in the same way
}

// after is how long to rest after a life that ended with this error. Stood: it
// delivered.
func (c *retry) delayAfter(err error, lived time.Duration, stood bool) time.Duration {
	switch {
	case errors.Is(err, camera.ErrRefused):
		c.delay = min(max(2*c.delay, firstRefused), lastRefused)
	case stood || lived > LastRetry:
		c.delay = minRetryDelay
	default:
		c.delay = min(max(2*c.delay, minRetryDelay), LastRetry)
	}
	if stood && lived > time.Minute {
		c.said = ""
	}
	return c.delay
}

// tell says what was lost, once: every second for a week would wear out the card.
func (c *retry) logLoss(log *slog.Logger, what string, err error, now time.Time) {
	if err.Error() == c.said && now.Sub(c.at) < sayAgain {
		c.untold++
		return
	}
	words := []any{"err", err, "again_in", c.delay}
	if c.untold > 0 {
		words = append(words, "not_told", c.untold)
	}
	log.Warn(what, words...)
	c.said, c.at, c.untold = err.Error(), now, 0
}

// wait waits; it is false when the context ended first.
func (c *retry) sleep(ctx context.Context) bool {
	select {
	case <-time.After(c.delay):
		return true
	case <-ctx.Done():
		return false
	}
}
