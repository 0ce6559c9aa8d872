package terminal

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// progress shows on a terminal, and only there, that long work goes on.
type Progress struct {
	To    io.Writer
	What  string
	shown time.Time
}

const minRedraw = 200 * time.Millisecond

func (p *Progress) ShowPictures(pictures int) {
	if time.Since(p.shown) < minRedraw || !IsTerminal(p.To) {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(p.To, "\r%s: %d pictures", p.What, pictures)
}

func (p *Progress) EraseLine() {
	if !p.shown.IsZero() {
		fmt.Fprint(p.To, "\r\x1b[K")
	}
}

func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
