package mistake

import (
	"errors"
	"fmt"
	"strings"
)

// First returns the first line of an error that lists several mistakes, with
// the number of the others, for a log that has one line for each error.
func First(err error) error {
	first, more, many := strings.Cut(err.Error(), "\n")
	if n := 1 + strings.Count(more, "\n") - strings.Count(more, "hint: "); many && n > 0 {
		first += fmt.Sprintf(" (and %d more)", n)
	}
	return errors.New(first)
}
