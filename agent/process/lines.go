package process

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The bounds of a child's log lines, chosen by hand: 120 bytes a second after a
// burst of 9,600. Without them the lines could carry a picture out.
const (
	maxLineLength = 240             // bytes
	maxLineBurst  = 40              // lines
	lineInterval  = 2 * time.Second // one more line
	lineBuffer    = 4096            // bytes; a longer line counts as several
)

// CopyStderr copies the lines of r that are records of kerb's own log to ChildOutput,
// in the form of FormatLine, until r ends: see OwnRecord. It passes 40 lines
// at once and one more every two seconds. The number of the lines that it leaves out
// is logged.
func (w *Watcher) CopyStderr(r io.Reader) { w.copyLines(r, OwnRecord) }

// CopyProgramStderr is CopyStderr for a program that is not kerb, such as rpicam-vid.
// Its text may quote a picture, so it is never passed on: a line in which ProgramWords
// recognises a reason is replaced by that reason.
func (w *Watcher) CopyProgramStderr(r io.Reader) { w.copyLines(r, ProgramWords) }

// copyLines copies the lines that translate passes, in its words, within the bounds.
func (w *Watcher) copyLines(r io.Reader, translate func(string) (string, bool)) {
	lines := bufio.NewReaderSize(r, lineBuffer)
	left, refill, dropped := maxLineBurst, time.Now(), 0
	told := func() {
		if dropped > 0 {
			w.Log.Warn("words left out", "process", w.Name, "lines", dropped)
		}
		dropped = 0
	}
	for {
		line, err := lines.ReadSlice('\n')
		if n := int(time.Since(refill) / lineInterval); n > 0 {
			left, refill = min(left+n, maxLineBurst), time.Now()
		}
		text, ok := "", false
		if left > 0 && len(line) > 0 {
			text, ok = translate(PlainText(bytes.TrimSuffix(line, []byte("\n"))))
		}
		switch {
		case len(line) == 0:
		case !ok:
			dropped++
		default:
			left--
			told()
			fmt.Fprintln(w.ChildOutput, FormatLine(w.Name, text, time.Now()))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			told()
			return
		}
	}
}

// FormatLine gives a line of a child the form of the supervisor's own lines, that of
// log/slog's text: time=… level=… msg=… from="sense north". A line that is not in that
// form, such as the last words of a process, becomes the message of a warning.
func FormatLine(child, line string, at time.Time) string {
	if !strings.HasPrefix(line, "level=") {
		line = "level=WARN msg=" + strconv.Quote(line)
	}
	return fmt.Sprintf("time=%s %s from=%q", at.Format("2006-01-02T15:04:05.000Z07:00"), line, child)
}

// The lines that kerb's own code writes to standard error: of log/slog's text
// handler, and the error with which a command ends.
var (
	slogRecord = regexp.MustCompile(`^level=(DEBUG|INFO|WARN|ERROR) msg=("|[a-z])`)
	endRecord  = regexp.MustCompile(`^kerb: `)
	// crashRecord matches the head of a crash of the Go runtime. The text behind is not passed: a panic
	// prints values.
	crashRecord = regexp.MustCompile(`^(panic|fatal error|runtime|unexpected fault address|SIG[A-Z]+): `)
	crashPlace  = regexp.MustCompile(`^[^ ]*/((?:agent|counting|drivers)/[a-z0-9_/]+\.go:[0-9]{1,5})(?: \+0x[0-9a-f]{1,8})?$`)
)

// OwnRecord returns the text to log for a line of a child process, and whether the line
// is a record of kerb's own: one of log/slog, the error of a command, or the place of a
// crash. Everything else is printed by a library and may quote the data that it read.
// A value with escaped bytes, which %q makes of binary data, is left out for the same
// reason.
func OwnRecord(line string) (text string, ok bool) {
	switch {
	case slogRecord.MatchString(line), endRecord.MatchString(line):
		return cutBytes(line), true
	case crashRecord.MatchString(line):
		return "kerb: crashed: a fault of kerb, please report it", true
	}
	if m := crashPlace.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
		return "kerb: crashed at " + m[1], true
	}
	return "", false
}

// escapedByte matches what log/slog, %q or a decoder makes of bytes that are no text.
var escapedByte = regexp.MustCompile(`\\x[0-9a-f]|\\[uU][0-9a-f]{4}|\\[abfv]|\x{fffd}`)

// bytesLeftOut stands in place of bytes that are no text.
const bytesLeftOut = "(bytes that are no text were left out)"

// cutBytes returns a record without the words from the first escaped byte on. An
// open quotation is closed.
func cutBytes(line string) string {
	at := escapedByte.FindStringIndex(line)
	if at == nil {
		return line
	}
	kept := line[:at[0]]
	if i := strings.LastIndexAny(kept, "= :"); i >= 0 {
		kept = kept[:i+1] // the word or the value in which the bytes are
	}
	if strings.HasPrefix(line, "level=") && strings.HasSuffix(kept, "=") {
		return kept + `"` + bytesLeftOut + `"`
	}
	if strings.Count(kept, `"`)%2 == 1 {
		return kept + bytesLeftOut + `"`
	}
	return kept + bytesLeftOut
}

// programReasons are the reasons that camera programs print (rpicam-vid, libcamera,
// ffmpeg, GStreamer, and the texts of strerror(3)), with kerb's words for them.
var programReasons = []struct{ part, words string }{
	{"no cameras available", "no camera is found"},
	{"in use by another process", "another program has the camera"},
	{"failed to acquire camera", "another program has the camera"},
	{"resource busy", "another program has the camera"},
	{"permission denied", "permission denied"},
	{"operation not permitted", "operation not permitted"},
	{"no such file or directory", "no such file or directory"},
	{"no such device", "no such device"},
	{"command not found", "a program is not found"},
	{"not enough memory", "not enough memory"},
	{"cannot allocate memory", "not enough memory"},
	{"no space left", "no space is left"},
	{"connection refused", "connection refused"},
	{"no route to host", "no route to host"},
	{"timed out", "timed out"},
	{"unauthorized", "the camera refuses the user or the password"},
	{"invalid data found", "data that the program cannot read"},
	{"unrecognized option", "an option that the program does not know"},
	{"unrecognised option", "an option that the program does not know"},
	{"invalid argument", "an invalid argument"},
	{"input/output error", "input/output error"},
	{"broken pipe", "broken pipe"},
}

// ProgramWords returns kerb's words for a line of a program that is not kerb, and
// whether the line tells a reason that is known.
func ProgramWords(line string) (words string, ok bool) {
	line = strings.ToLower(line)
	for _, r := range programReasons {
		if strings.Contains(line, r.part) {
			return "kerb: the program says: " + r.words, true
		}
	}
	return "", false
}
