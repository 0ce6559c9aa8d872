package clock

import (
	"context"
	"time"
)

// RunWindows reads the clock at each window's end, at least once a second, and
// calls onEnd with the windows that ended since the last call and the step of
// the wall clock, if there was one. When ctx ends, the open window ends too and
// onEnd is called with last set. RunWindows returns onEnd's first error.
func RunWindows(ctx context.Context, c Clock, begun Reading, length time.Duration,
	onEnd func(ended []Window, step *Step, last bool) error,
) error {
	windows := NewWindows(length, begun)
	for {
		select {
		case <-time.After(windows.NextWait()):
		case <-ctx.Done():
			ended, step := windows.StopAt(c.ReadAll())
			return onEnd(ended, step, true)
		}
		ended, step := windows.AdvanceTo(c.ReadAll())
		if err := onEnd(ended, step, false); err != nil {
			return err
		}
	}
}

// EventData returns the fields of the clock_step event: wall times before and
// after, synchronised or not, and the boot and the monotonic time in milliseconds, by
// which a consumer can place windows that were sent without a trusted label.
func (s Step) EventData() map[string]any {
	return map[string]any{"from": s.From, "to": s.To, "synced": s.Synced, "boot": BootID(), "mono_ms": s.Mono.Milliseconds()}
}
