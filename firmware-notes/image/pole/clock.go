package main

import (
	"context"
	"time"

	"github.com/beevik/ntp"
	"golang.org/x/sys/unix"
)

// The times of the clock's query, chosen by hand.
const (
	minQuery     = 2 * time.Second        // the first delay, which doubles after an error
	maxQuery     = 5 * time.Minute        // to here
	queryEvery   = 17 * time.Minute       // after an answer
	queryTimeout = 3 * time.Second        // for one server's answer
	maxSlew      = 128 * time.Millisecond // a larger offset is set, a smaller one slewed
)

// keepTime queries the time servers by NTP, sets or slews the clock, and gives the
// kernel the bound of its error, which is where kerb reads it. gokrazy's own program
// sets the clock without that bound, so that kerb would call the clock unsynchronised.
func (d *device) keepTime(ctx context.Context) {
	var said error
	for wait := minQuery; ctx.Err() == nil; {
		err := d.setTime()
		switch {
		case err == nil:
			wait = queryEvery
			said = nil
		default:
			if said == nil {
				d.log.Printf("no time yet: %v", err)
			}
			said = err
			wait = min(2*wait, maxQuery)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// setTime queries one server after the other until one answers, and corrects the
// clock.
func (d *device) setTime() (err error) {
	for _, server := range d.settings.Time.Servers {
		var r *ntp.Response
		if r, err = ntp.QueryWithOptions(server, ntp.QueryOptions{Timeout: queryTimeout}); err != nil {
			continue
		}
		if err = r.Validate(); err != nil {
			continue
		}
		off := r.ClockOffset
		if off > maxSlew || off < -maxSlew {
			tv := unix.NsecToTimeval(time.Now().Add(off).UnixNano())
			if err = unix.Settimeofday(&tv); err != nil {
				return err
			}
			d.log.Printf("clock set by %v from %s", off.Round(time.Millisecond), server)
		} else if _, err = unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_OFFSET_SINGLESHOT, Offset: off.Microseconds()}); err != nil {
			return err
		}
		// The kernel raises the error by 500 µs a second, and calls the clock
		// unsynchronised again above 16 s.
		limit := r.RootDistance.Microseconds() + 1
		_, err = unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_STATUS | unix.ADJ_MAXERROR | unix.ADJ_ESTERROR, Maxerror: limit, Esterror: limit})
		return err
	}
	return err
}
