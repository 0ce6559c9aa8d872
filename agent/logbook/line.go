package logbook

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// line is a log line in the text format of log/slog, or any other text.
type line struct {
	key     string // lines of one key tell the same
	level   string // "" of text that is no slog line
	message string
	subject string // "camera=north": what the line is about; "" where it is not told
	err     string
}

// isLoss reports whether a line tells that something fails.
func (l line) isLoss() bool { return l.level != "INFO" && l.level != "DEBUG" }

// subjects are the attributes that tell what a line is about.
var subjects = []string{"camera", "broker", "process"}

// changing are the attributes that differ between two lines which tell the same.
var changing = []string{"time", "err", "again_in", "not_told", "lines", "pid", "backlog", "from"}

// parseLine reads the attributes of a line. The child's name, in the attribute from, is
// no part of the key, because the supervisor may tell the same. Text that is no slog
// line is its own key. A message "kerb: reason" is the error with which the process
// from ended.
func parseLine(text string) (l line) {
	_, rest, found := cutAttribute(text, "level=")
	if !found {
		return line{key: text}
	}
	var key strings.Builder
	from := ""
	for rest != "" {
		name, value, after, ok := nextAttribute(rest)
		if !ok {
			break
		}
		rest = after
		switch name {
		case "level":
			l.level = value
		case "msg":
			l.message = value
		case "err":
			l.err = value
		case "from":
			from = value
		}
		if l.subject == "" && slices.Contains(subjects, name) {
			l.subject = name + "=" + value
		}
		if !slices.Contains(changing, name) && !strings.HasSuffix(key.String(), name+"="+value+"\n") {
			key.WriteString(name + "=" + value + "\n")
		}
	}
	l.key = key.String()
	if reason, ok := strings.CutPrefix(l.message, "kerb: "); ok && from != "" {
		l.subject, l.err = "process="+from, reason
		l.key += l.subject
	}
	return l
}

// ReadReason returns the error of a log line, or else its message, without "kerb: ".
func ReadReason(text string) string {
	l := parseLine(text)
	return cmp.Or(l.err, l.message, text)
}

// cutAttribute cuts text before the first attribute that begins with name.
func cutAttribute(text, name string) (before, rest string, found bool) {
	for at := 0; ; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return text, "", false
		}
		if at += i; at == 0 || text[at-1] == ' ' {
			return text[:at], text[at:], true
		}
		at += len(name)
	}
}

// nextAttribute reads one attribute, name=value or name="quoted value".
func nextAttribute(text string) (name, value, rest string, ok bool) {
	name, rest, ok = strings.Cut(strings.TrimLeft(text, " "), "=")
	if !ok {
		return "", "", "", false
	}
	if quoted, err := strconv.QuotedPrefix(rest); err == nil && rest[0] == '"' {
		value, err = strconv.Unquote(quoted)
		return name, value, rest[len(quoted):], err == nil
	}
	value, rest, _ = strings.Cut(rest, " ")
	return name, value, rest, true
}
