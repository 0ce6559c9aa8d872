package counting

import "time"

// Crossing is one crossing of one line by one object. A vehicle's passage over
// an inductive loop is a Crossing too; two loops add its speed and length. It
// carries no number that could tell two objects apart later.
type Crossing struct {
	Stream string // the line's ID
	Class  Class
	Dir    Direction
	At     time.Duration // monotonic, since the source's first picture or edge
	Speed  float64       // m/s; 0 where it is not known
	Length float64       // m; 0 where it is not known
}
