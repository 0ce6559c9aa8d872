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

// clockJumps are the changes of the wall clock during an aiming session, and
// when they happen.
var clockJumps = []struct{ after, by time.Duration }{{15 * time.Second, 24 * time.Hour}, {30 * time.Second, -48 * time.Hour}}

// runExpire starts an aiming session of a minute, sets the wall clock a day
// ahead and then two days back, and reports when the session ended. Kerb
// measures it by the monotonic clock, which cannot be set.
func runExpire(home string) error {
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
	said.Scan() // the address: the session's time starts here
	begun := time.Now()
	var seen []float64 // how far each jump moved the wall clock, s
	for _, j := range clockJumps {
		time.Sleep(j.after - time.Since(begun))
		moved, err := moveClock(j.by)
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

// moveClock sets the wall clock by that much and returns how far it really
// moved.
func moveClock(by time.Duration) (moved time.Duration, err error) {
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
