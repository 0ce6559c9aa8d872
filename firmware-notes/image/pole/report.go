package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// report is report.txt on the card: what an engineer reads who takes the card out.
type report struct {
	mu     sync.Mutex
	card   []string // the mistakes in its files; empty: they are in force
	aiming []string // the session of aiming, or why there is none
}

// text returns the report; "" if there is nothing to tell.
func (r *report) text() string {
	var b strings.Builder
	for _, part := range []struct {
		title string
		lines []string
	}{{"The files on this card are not in force:", r.card}, {"Aiming:", r.aiming}} {
		if len(part.lines) > 0 {
			b.WriteString(part.title + "\r\n  " + strings.Join(part.lines, "\r\n  ") + "\r\n")
		}
	}
	return b.String()
}

// setCardMistakes changes the first part; nil: the files are in force.
func (d *device) setCardMistakes(lines []string) {
	d.report.mu.Lock()
	defer d.report.mu.Unlock()
	d.report.card = lines
	d.writeReport()
}

// setAiming changes the second part, and logs it.
func (d *device) setAiming(lines ...string) {
	for _, line := range lines {
		d.log.Printf("AIMING: %s", line)
	}
	d.report.mu.Lock()
	defer d.report.mu.Unlock()
	d.report.aiming = lines
	d.writeReport()
}

// writeReport writes the report to the card if it has changed, so that a start with
// nothing to tell writes nothing. The caller holds the lock.
func (d *device) writeReport() {
	text := []byte(d.report.text())
	mount, done, err := d.slot.mountBoot(false)
	if err != nil {
		d.log.Print(err)
		return
	}
	old, _ := os.ReadFile(filepath.Join(mount, "kerb", reportFile)) // none: empty
	done()
	if bytes.Equal(old, text) {
		return
	}
	if err := d.slot.changeCard(func(card string) error { return writeInPlace(filepath.Join(card, reportFile), text) }); err != nil {
		d.log.Printf("%s on the card: %v", reportFile, err)
	}
}
