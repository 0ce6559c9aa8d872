package sensor

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"kerb/agent/handover"
	"kerb/agent/retry"
	"kerb/drivers/camera"
)

// The delays before a lost source is opened again. The longest ordinary delay is
// short, because an engineer who plugs a cable in waits for the picture, and one
// attempt costs a handful of packets. A camera that refuses the password is asked
// far less often: many cameras lock an account after a few wrong passwords in half
// an hour. All were chosen by hand.
const (
	minReopenDelay  = 250 * time.Millisecond
	maxReopenDelay  = time.Second
	minRefusedDelay = 10 * time.Second
	maxRefusedDelay = 10 * time.Minute
)

// backoff computes the delay before a lost source is opened again. The zero value is
// ready for use.
type backoff struct {
	delay    time.Duration // before the next attempt
	losses   int           // since the source last delivered
	refusals int           // in a row
}

// delayAfter returns the delay after a source that was open for lived and ended
// with err. delivered says that it gave pictures or edges.
func (b *backoff) delayAfter(err error, lived time.Duration, delivered bool) time.Duration {
	switch {
	case errors.Is(err, camera.ErrRefused):
		b.delay = retry.Delay(minRefusedDelay, maxRefusedDelay, b.refusals)
		b.refusals++
		b.losses += 2 // once it only is lost, it is opened after maxReopenDelay
	case delivered || lived > maxReopenDelay:
		b.delay, b.losses, b.refusals = minReopenDelay, 1, 0
	default:
		b.delay = retry.Delay(minReopenDelay, maxReopenDelay, b.losses)
		b.losses++
		b.refusals = 0
	}
	return b.delay
}

// logLoss logs the loss with the delay before the next attempt. The log drops
// repetitions (logbook.Book). What could not be handed over the supervisor has
// logged, with the reason.
func (b *backoff) logLoss(log *slog.Logger, what string, err error) {
	if !errors.Is(err, handover.ErrNotOpened) {
		log.Warn(what, "err", err, "again_in", b.delay)
	}
}

// wait waits for the delay. It returns false where ctx ended first.
func (b *backoff) wait(ctx context.Context) bool { return retry.Sleep(ctx, b.delay) }
