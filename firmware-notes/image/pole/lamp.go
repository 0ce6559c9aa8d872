package main

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// The codes of the board's own green lamp. They are those of kerb's status lamp;
// see firmware-notes/lamp.md.
const (
	dark int32 = iota
	counting
	offline
	unsighted
	aiming
	fault
)

// A lamp is the board's own LED, below /sys/class/leds. Its path is empty on a board
// without one.
type lamp struct {
	path    string
	code    atomic.Int32
	session atomic.Bool // a session of aiming is open
}

// findLamp takes the LED over from the kernel's trigger.
func findLamp() *lamp {
	for _, name := range []string{"ACT", "led0", "PWR"} {
		path := filepath.Join("/sys/class/leds", name)
		if _, err := os.Stat(path); err == nil {
			_ = os.WriteFile(filepath.Join(path, "trigger"), []byte("none"), 0o644)
			return &lamp{path: filepath.Join(path, "brightness")}
		}
	}
	return &lamp{}
}

// setCode changes the code, from the next round on.
func (l *lamp) setCode(code int32) { l.code.Store(code) }

// shownCode is the more urgent one of the code and of aiming, while a session is open.
func (l *lamp) shownCode() int32 {
	if c := l.code.Load(); !l.session.Load() || c == fault {
		return c
	}
	return aiming
}

// The times of the patterns, those of kerb's status lamp.
const (
	flashTime  = 80 * time.Millisecond
	roundTime  = 3 * time.Second
	aimingTime = 500 * time.Millisecond
	fastTime   = 100 * time.Millisecond
)

// blinkUntil blinks the code until the context ends.
func (l *lamp) blinkUntil(ctx context.Context) {
	for l.path != "" && ctx.Err() == nil {
		pattern := map[int32][]time.Duration{
			dark:      {0, time.Second},
			counting:  {flashTime, roundTime - flashTime},
			offline:   {flashTime, 3 * flashTime, flashTime, roundTime - 5*flashTime},
			unsighted: {flashTime, 3 * flashTime, flashTime, 3 * flashTime, flashTime, roundTime - 9*flashTime},
			aiming:    {aimingTime, aimingTime},
			fault:     {fastTime, fastTime},
		}[l.shownCode()]
		for i, d := range pattern {
			on := "0"
			if i%2 == 0 && d > 0 {
				on = "1"
			}
			_ = os.WriteFile(l.path, []byte(on), 0o644) // a lamp that does not answer is ignored
			time.Sleep(d)
		}
	}
}
