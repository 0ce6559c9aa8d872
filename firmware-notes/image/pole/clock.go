package main

import (
	"context"
	"time"

	"github.com/beevik/ntp"
	"golang.org/x/sys/unix"
)

// keepTime asks the time servers, sets the clock, and tells the kernel how far
// it can be believed: that is where kerb asks. gokrazy's own program sets the
// clock without telling, so that nobody could know.
func (d *device) keepTime(ctx context.Context) {
	var said error
	for wait := 2 * time.Second; ctx.Err() == nil; {
		err := d.setTime()
		switch {
		case err == nil:
			wait = 17 * time.Minute
			said = nil
		default:
			if said == nil {
				d.log.Printf("no time yet: %v", err)
			}
			said = err
			wait = min(2*wait, 5*time.Minute)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// maxSlew is how far the clock may be off before it is set rather than slewed.
const maxSlew = 128 * time.Millisecond

func (d *device) setTime() (err error) {
	for _, server := range d.settings.Time.Servers {
		var r *ntp.Response
		if r, err = ntp.QueryWithOptions(server, ntp.QueryOptions{Timeout: 3 * time.Second}); err != nil {
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
		// The kernel lets the error grow by 500 µs a second, and calls the clock
		// unsynchronised again when it passes 16 s.
		limit := r.RootDistance.Microseconds() + 1
		_, err = unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_STATUS | unix.ADJ_MAXERROR | unix.ADJ_ESTERROR, Maxerror: limit, Esterror: limit})
		return err
	}
	return err
}
