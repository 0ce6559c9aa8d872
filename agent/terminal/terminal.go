// Package terminal holds the standard output and standard error of a command, a
// progress line, and the error for a wrong command line.
//
// It refuses to write control characters to anything but a terminal, so that files
// and pipes get plain text.
package terminal

import "io"

// A Terminal holds the two outputs of a command. Out gets data, which another program
// may read, and Err gets messages for people.
type Terminal struct {
	Out, Err io.Writer
}

// UsageError is the text of a mistake in the command line that the command itself
// finds, after the flags were parsed. It gives exit status 2.
type UsageError string

// Error returns the text.
func (e UsageError) Error() string { return string(e) }
