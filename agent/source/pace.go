package source

import (
	"context"
	"errors"
	"io"
	"time"
)

// realtimePlayer plays a recording at its own rate, in a loop, and gives its
// pictures the present time. It stands in for a camera.
type realtimePlayer struct {
	Pictures
	reopen func() (Pictures, error) // opens the recording again at its end
	begun  time.Time                // when the first picture was played
	first  time.Time                // the time of the first picture in the recording
}

// ReadInto waits until the next picture is due and returns that time.
func (p *realtimePlayer) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	at, err := p.Pictures.ReadInto(ctx, dst)
	if errors.Is(err, io.EOF) && !p.begun.IsZero() {
		if err := p.rewind(); err != nil {
			return at, err
		}
		at, err = p.Pictures.ReadInto(ctx, dst)
	}
	if err != nil {
		return at, err
	}
	if p.begun.IsZero() {
		p.begun, p.first = time.Now(), at
	}
	due := p.begun.Add(at.Sub(p.first))
	select {
	case <-time.After(time.Until(due)):
		return due, nil
	case <-ctx.Done():
		return due, ctx.Err()
	}
}

// rewind opens the recording again from its start.
func (p *realtimePlayer) rewind() error {
	fresh, err := p.reopen()
	if err != nil {
		return err
	}
	err = p.Pictures.Close()
	p.Pictures, p.begun = fresh, time.Time{}
	return err
}

// RateLimiter passes on one picture per Interval and drops the others. A device
// that is too slow for 30 pictures a second follows objects as well in 10.
type RateLimiter struct {
	Pictures
	Interval time.Duration // more than 0
	due      time.Time     // of the next picture
}

// ReadInto reads pictures until one is due. It accepts a picture that is early by a
// quarter of the interval, so that jitter does not drop every second picture.
func (r *RateLimiter) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	for {
		at, err := r.Pictures.ReadInto(ctx, dst)
		if err != nil {
			return at, err
		}
		if early := r.due.Sub(at); early <= r.Interval/4 {
			r.due = r.due.Add(r.Interval)
			if late := at.Add(-r.Interval / 4); r.due.Before(late) {
				r.due = at.Add(r.Interval)
			}
			return at, nil
		}
	}
}
