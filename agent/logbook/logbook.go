// Package logbook bounds and keeps the log of kerb's processes. A Book is the
// writer under a log/slog text handler: it passes each line on, drops lines that
// repeat a loss, and keeps the last lines in memory.
//
// The log may lie on an SD card, and an engineer reads its last fifty lines. A
// camera that is away for a week fails every second, and more than one process
// notices it. So one rule holds for all lines, whichever process wrote them: a loss
// is logged once, and then at most three times in ten minutes. The Book of the
// supervisor gets the lines of its children, too.
//
// It refuses to judge the content: it neither formats nor redacts, and it parses
// the attributes of a line only to recognise a repetition.
package logbook

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The limits of a log, chosen by hand.
const (
	period     = 10 * time.Minute
	maxTold    = 4          // lines of one key in a period: the first and three more
	repeatTime = period / 3 // between two lines of one key with the same error
	maxKeys    = 512        // keys that are remembered; beyond, the oldest is forgotten
	maxKept    = 400        // lines in memory, at most 300 bytes each: 120 KB
	warnLevel  = "WARN"     // of slog
	errorLevel = "ERROR"    // of slog
)

// Book is a log writer. Each call of Write is one line. Its methods may be called
// from several goroutines.
type Book struct {
	out io.Writer
	now func() time.Time

	mu       sync.Mutex
	told     map[string]*history
	warnings map[string]Warning // by subject
	kept     []string           // a ring of the last lines
	next     int                // place of the oldest line in a full ring
}

// history holds the lines that were logged under one key.
type history struct {
	subject string
	times   []time.Time // of the last lines, at most maxTold
	err     string      // of the last line; "" after the subject was well again
	dropped int         // lines since the last one that was told
}

// Warning is the last warning or error about a camera, a process or a broker.
type Warning struct {
	At      time.Time
	Message string
	Err     string // attribute err; "" where there is none
}

// New makes a Book that writes to out. now is time.Now, or the clock of a test.
func New(out io.Writer, now func() time.Time) *Book {
	return &Book{out: out, now: now, told: map[string]*history{}, warnings: map[string]Warning{}}
}

// Write writes one line to the log unless it repeats a loss too often. It returns the
// error of the writer below; a dropped line is no error.
func (b *Book) Write(p []byte) (int, error) {
	line := strings.TrimRight(string(p), "\n")
	b.mu.Lock()
	defer b.mu.Unlock()
	at, l := b.now(), parseLine(line)
	b.noteWarning(l, at)
	dropped, ok := b.admit(l, at)
	if !ok {
		return len(p), nil
	}
	if dropped > 0 {
		line += " not_told=" + strconv.Itoa(dropped)
	}
	b.keep(line)
	if _, err := fmt.Fprintln(b.out, line); err != nil {
		return 0, err
	}
	return len(p), nil
}

// admit reports whether a line may be told, and how many of its key were dropped
// since the last one. An INFO line about the same subject ends the loss: the next
// loss is told at once, within the limit of a period.
func (b *Book) admit(l line, at time.Time) (dropped int, ok bool) {
	h := b.told[l.key]
	if h == nil {
		b.forgetOldest(at)
		h = &history{subject: l.subject}
		b.told[l.key] = h
	}
	for len(h.times) > 0 && at.Sub(h.times[0]) >= period {
		h.times = h.times[1:]
	}
	last := len(h.times) - 1
	if len(h.times) >= maxTold || last >= 0 && l.err == h.err && l.isLoss() && at.Sub(h.times[last]) < repeatTime {
		h.dropped++
		return 0, false
	}
	if !l.isLoss() && l.subject != "" {
		for _, other := range b.told {
			if other.subject == l.subject {
				other.err = wellAgain
			}
		}
	}
	dropped, h.dropped = h.dropped, 0
	h.times, h.err = append(h.times, at), l.err
	return dropped, true
}

// wellAgain stands for the error of a subject that was well since: no error of a
// line equals it, because lines hold no NUL.
const wellAgain = "\x00"

// forgetOldest makes room for one more key.
func (b *Book) forgetOldest(at time.Time) {
	if len(b.told) < maxKeys {
		return
	}
	oldest, when := "", at
	for key, h := range b.told {
		if len(h.times) == 0 || !h.times[len(h.times)-1].After(when) {
			oldest = key
			if len(h.times) == 0 {
				break
			}
			when = h.times[len(h.times)-1]
		}
	}
	delete(b.told, oldest)
}

// noteWarning keeps the last warning about a subject, whether it is told or not, and
// drops it when the subject is well again.
func (b *Book) noteWarning(l line, at time.Time) {
	switch {
	case l.subject == "":
	case !l.isLoss():
		delete(b.warnings, l.subject)
	case l.message == "process ended" && b.warnings[l.subject].Message == "" && b.warnings[l.subject].Err != "":
		// The process has told the reason itself; its exit status tells less.
	case len(b.warnings) < maxKeys || b.warnings[l.subject] != Warning{}:
		b.warnings[l.subject] = Warning{at, l.message, l.err}
	}
}

// LastWarning returns the last warning about a subject since it was well, such as
// that of the attribute "camera" with the value "north". The zero Warning is none.
func (b *Book) LastWarning(attribute, value string) Warning {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.warnings[attribute+"="+value]
}

// keep stores a line in the ring.
func (b *Book) keep(line string) {
	if len(b.kept) < maxKept {
		b.kept = append(b.kept, line)
		return
	}
	b.kept[b.next] = line
	b.next = (b.next + 1) % maxKept
}

// Lines returns the last lines that were written, oldest first, without the newline.
func (b *Book) Lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append(append([]string{}, b.kept[b.next:]...), b.kept[:b.next]...)
}
