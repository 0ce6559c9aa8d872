package terminal

import (
	"fmt"
	"strings"
	"testing"
)

func TestWhatATerminalObeysIsDropped(t *testing.T) {
	var b strings.Builder
	n, err := fmt.Fprintf(Printable(&b), "refused  a/b/c: \x1b]0;x\x07bad\u202e\u009b2J\x00 Töölö\n\tε 1")
	if want := "refused  a/b/c: ]0;xbad2J Töölö\n\tε 1"; err != nil || b.String() != want || n < len(want) {
		t.Errorf("%d bytes, %v: %q", n, err, b.String())
	}
}
