package terminal

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Progress is a line on a terminal that counts the parts of a long task. Where To
// is no terminal it does not print.
type Progress struct {
	To    io.Writer
	What  string // the name of the task at the start of the line
	Parts string // what is counted, in the plural
	shown time.Time
}

// minRedraw is the shortest time between two updates of the line, so that printing
// costs little; chosen by hand.
const minRedraw = 200 * time.Millisecond

// ShowCount updates the number of parts on the line, five times a second at most.
func (p *Progress) ShowCount(n int) {
	if time.Since(p.shown) < minRedraw || !IsTerminal(p.To) {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(p.To, "\r%s: %d %s", p.What, n, p.Parts)
}

// EraseLine erases the line, if one was printed, so that other output can follow.
func (p *Progress) EraseLine() {
	if !p.shown.IsZero() {
		fmt.Fprint(p.To, "\r\x1b[K")
	}
}

// IsTerminal reports whether w is a file that is open on a terminal (TCGETS succeeds,
// ioctl_tty(2)).
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
