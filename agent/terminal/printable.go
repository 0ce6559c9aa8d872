package terminal

import (
	"bytes"
	"io"
	"unicode"
)

// Printable returns a writer that drops what a terminal takes for a command, and characters
// that cannot be seen, of which some turn the text around: for texts that come from other
// devices. Line ends and tabs pass. A character must not be cut by two writes.
func Printable(w io.Writer) io.Writer { return printable{w} }

type printable struct{ io.Writer }

func (p printable) Write(b []byte) (int, error) {
	text := bytes.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			return r
		}
		return -1
	}, b)
	if _, err := p.Writer.Write(text); err != nil {
		return 0, err
	}
	return len(b), nil
}
