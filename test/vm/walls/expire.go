package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// jumps are what is done to the clock of the wall while somebody aims, and when.
var jumps = []struct{ after, by time.Duration }{{15 * time.Second, 24 * time.Hour}, {30 * time.Second, -48 * time.Hour}}

// expire lets kerb aim for a minute, sets the clock a day ahead and a day back
// meanwhile, and says when the session ended. What it measures by is the
// monotonic clock, which nobody can set.
func expire(home string) error {
	cmd := exec.Command("/kerb", "aim", "north", "-json", "-for", "60s", "-listen", "127.0.0.1:0", "-site", "/site.toml", "-policy", "/policy.toml")
	cmd.Dir, cmd.Env = home, []string{"TMPDIR=" + home, "HOME=" + home}
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	said := bufio.NewScanner(out)
	said.Scan() // the address: from now on it counts
	begun := time.Now()
	var seen []float64 // how far the wall moved from what passed, s
	for _, j := range jumps {
		time.Sleep(j.after - time.Since(begun))
		moved, err := set(j.by)
		if err != nil {
			return fmt.Errorf("set the clock: %w", err)
		}
		seen = append(seen, moved.Seconds())
	}
	last := ""
	for said.Scan() {
		last = said.Text()
	}
	ran := time.Since(begun).Seconds()
	r := map[string]any{"ran_s": ran, "moved_s": seen, "last": last, "words": words.String()}
	if err := cmd.Wait(); err != nil {
		r["failed"] = err.Error()
	}
	b, err := json.Marshal(map[string]any{"scenario": "expire", "seconds": ran, "result": r})
	if err != nil {
		return err
	}
	fmt.Printf("RESULT %s\n", b)
	return nil
}

// set moves the wall clock and says how far it really moved.
func set(by time.Duration) (moved time.Duration, err error) {
	var before, after unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &before); err != nil {
		return 0, err
	}
	to := unix.NsecToTimespec(before.Nano() + by.Nanoseconds())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &to); err != nil {
		return 0, err
	}
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &after); err != nil {
		return 0, err
	}
	return time.Duration(after.Nano() - before.Nano()), nil
}
