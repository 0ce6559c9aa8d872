package terminal

import (
	"io"
	_ "time/tzdata" // hours have a time zone, and an image such as gokrazy's has no zoneinfo
)

// terminal is where a command talks: data to out, words to err.
type Terminal struct {
	Out, Err io.Writer
}

// UsageError is a wrong command line that only the command itself can see.
type UsageError string

func (e UsageError) Error() string { return string(e) }
