package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// progress shows on a terminal, and only there, that long work goes on.
type progress struct {
	to    io.Writer
	what  string
	shown time.Time
}

const redraw = 200 * time.Millisecond

func (p *progress) show(pictures int) {
	if time.Since(p.shown) < redraw || !isTerminal(p.to) {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(p.to, "\r%s: %d pictures", p.what, pictures)
}

func (p *progress) clear() {
	if !p.shown.IsZero() {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
