// Command day computes a day of a loop-only device as fast as it can: four lanes
// of simulated vehicles, one-minute windows that are cleared, spooled and
// acknowledged by the given broker. It prints CPU time and peak memory.
//
//	go build -o day ./test/bench/day && ./day mqtt://127.0.0.1:1883
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/counting/loop"
	"kerb/drivers/loop/street"
)

const policyText = `schema = "kerb.policy/1"
version = 1
title = "a day"
purpose = "statistical"
count.streams = ["loop"]
count.classes = ["vehicle"]
clear.window = "1m"
clear.method = "noise"
clear.epsilon = 1
clear.below = 0
clear.overlap = 1
keep.retention = "24h"
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: day BROKER")
		os.Exit(2)
	}
	if err := measureDay(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "day:", err)
		os.Exit(1)
	}
}

func measureDay(broker string) error {
	dir, err := os.MkdirTemp("", "kerb-day-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	pol, err := policy.Parse("policy.toml", []byte(policyText))
	if err != nil {
		return err
	}
	db, err := store.Open(filepath.Join(dir, "spool.db"), store.KeepFor(pol.Retention()))
	if err != nil {
		return err
	}
	defer db.Close()
	up, err := uplink.New(uplink.Opts{
		Broker: broker, Tenant: "kerb", Site: "bench", Device: "day", Store: db,
		Birth: uplink.Birth{Window: pol.Window()},
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- up.Run(ctx) }()
	passages, windows, err := countDay(ctx, pol, db, up.Wake)
	for end := time.Now().Add(time.Minute); err == nil && db.Stats().Pending > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			err = errors.New("the broker did not take it all within a minute")
		}
	}
	stop()
	<-done
	if err != nil {
		return err
	}
	fmt.Printf("%d passages, %d windows acknowledged; CPU %.2f ms per 1,000 passages, all else included; peak RSS %s\n",
		passages, windows, 1000*cpuTime().Seconds()/float64(passages)*1000, peakRSS())
	return nil
}

// countDay counts the vehicles of 24 hours, clears and stores a window of every
// lane each minute, and calls wake after each.
func countDay(ctx context.Context, pol *policy.Policy, db *store.Store, wake func()) (passages, windows int, err error) {
	src, err := street.New(street.Opts{Seed: 7, Pairs: 2, Singles: 2, PerHour: 600, Lasts: 24 * time.Hour})
	if err != nil {
		return 0, 0, err
	}
	o := loop.Opts{Limits: loop.DefaultLimits()}
	for i, name := range src.LineNames() {
		o.Lines = append(o.Lines, loop.Line{Name: name})
		if i < 4 && i%2 == 0 {
			o.Lanes = append(o.Lanes, loop.Lane{
				Stream: fmt.Sprintf("pair-%d", i/2), Loops: []int{i, i + 1}, Spacing: street.Spacing, LoopLength: street.LoopLength,
			})
		} else if i >= 4 {
			o.Lanes = append(o.Lanes, loop.Lane{Stream: fmt.Sprintf("single-%d", i), Loops: []int{i}})
		}
	}
	c, err := loop.New(src, o)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now().Add(-25 * time.Hour).Truncate(time.Minute)
	end := time.Minute // of the open windows, since start
	c.SetWindowEnd(end)
	for {
		step, err := c.CountBatch(ctx)
		passages += len(step.Passages)
		if len(step.Windows) > 0 {
			var rs []policy.Release
			for i := range step.Windows {
				t := step.Windows[i].ToTally()
				t.Start, t.End, t.Mono = start.Add(end-time.Minute), start.Add(end), end
				t.Observed = min(t.Observed, time.Minute)
				r, err := pol.Clear(t)
				if err != nil {
					return passages, windows, err
				}
				rs = append(rs, r)
			}
			if _, err := db.Append(rs); err != nil {
				return passages, windows, err
			}
			windows += len(rs)
			wake()
			end += time.Minute
			c.SetWindowEnd(end)
		}
		if errors.Is(err, io.EOF) {
			return passages, windows, nil
		}
		if err != nil {
			return passages, windows, err
		}
	}
}

// cpuTime returns the CPU time of this process, user and system.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS returns the peak resident set size of this process, with its unit.
func peakRSS() string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}
