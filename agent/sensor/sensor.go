package sensor

import (
	"context"
	"time"

	"kerb/counting"
)

// A counter is a sensor as its windows see it: a camera, or the loops.
type Sensor interface {
	// streams are what it counts, in the order of site.toml.
	Streams() []counting.Stream
	// run counts until the context ends, and survives what it counts with.
	Run(ctx context.Context)
	// lose says that nothing is seen from now on, and why.
	MarkLost(reason counting.Reason)
	// end closes the open window of every stream at a monotonic time and opens
	// the next. A whole window is as long as whole says.
	CloseWindow(mono time.Duration, start, end time.Time, whole time.Duration) []counting.Tally
}
