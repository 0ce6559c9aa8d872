package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// A person at the street cabinet has a switch and no card reader: three short starts in a
// row open one session of aiming.
const (
	startsFile = permDir + "/starts"
	longStart  = time.Minute // a start that lasts longer sets the count back
	shortLimit = 3
)

// countStart adds this start to the short ones before it, and returns their number. A
// start is short until longStart has passed: no clock is asked, because the clock of a
// board without a battery begins anew at each start. A file that cannot be read is no
// start. After shortLimit the number stays above it, so that a supply which fails again
// and again opens one session only.
func countStart(path string) (n int, err error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if _, err := fmt.Sscanf(string(b), "%d short starts\n", &n); err != nil || n < 0 || n > shortLimit {
		n = 0
	}
	n = min(n+1, shortLimit+1)
	return n, writeAtomic(path, fmt.Appendf(nil, "%d short starts\n", min(n, shortLimit)))
}

// watchStart counts this start as a short one until it has lasted, and reports whether
// it is the one that opens a session.
func (d *device) watchStart(ctx context.Context) bool {
	n, err := countStart(startsFile)
	if err != nil {
		d.log.Printf("this start is not counted: %v", err)
		return false
	}
	go func() {
		select {
		case <-time.After(longStart):
			_ = os.Remove(startsFile) // the next start tries again
		case <-ctx.Done():
		}
	}()
	if n <= shortLimit {
		d.log.Printf("start %d of %d short ones", n, shortLimit)
	}
	return n == shortLimit
}
