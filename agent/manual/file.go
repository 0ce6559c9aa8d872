package manual

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"kerb/agent/mistake"
)

// A FilePage is what the manual page of a file says beside its keys.
type FilePage struct {
	name, summary, intro, example, others string
}

// SitePage is site.toml(5).
var SitePage = FilePage{
	"site.toml", "what a device of kerb looks at, and where its numbers go",
	"The engineer's file, in TOML: the device, its broker, its cameras with their lines and zones, its loops. What it asks for must be allowed by policy.toml(5). kerb check tells every mistake at once, with line and what to do; kerb probe -write begins a file; systemctl reload kerb takes a changed one.",
	`[device]
name = "pole-7"
site = "high-street"
tenant = "camden"

[broker]
url = "mqtts://broker.example:8883"
user = "pole-7"
password_file = "broker.password"

[[camera]]
name = "north"
source = "/dev/v4l/by-id/usb-…-video-index0"

  [[camera.line]]
  id = "path"
  from = [0.1, 0.6]
  to = [0.9, 0.6]`, "policy.toml",
}

// PolicyPage is policy.toml(5).
var PolicyPage = FilePage{
	"policy.toml", "what a device of kerb may count, and how its numbers are cleared",
	"The reviewer's file, in TOML: which classes and streams may be counted, in which windows, with how much noise or suppression, and for how long a number may stay on the device. It decides over site.toml(5). kerb explain tells it in plain English, and what it makes impossible; ready ones are in /usr/share/doc/kerb/examples.",
	`schema = "kerb.policy/1"
version = 1
purpose = "statistical"

[count]
streams = ["line"]
classes = ["person", "bicycle"]

[clear]
window = "15m"
method = "noise"
epsilon = 1.0
below = 5

[keep]
retention = "72h"`, "site.toml",
}

// WriteFilePage writes the manual page of a file in section 5 from its keys, which are
// also those of its JSON Schema.
func WriteFilePage(w io.Writer, p FilePage, keys []mistake.Key) error {
	fmt.Fprintf(w, ".TH %s 5 \"\" \"kerb\" \"File Formats\"\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.I /etc/kerb/%s\n.SH DESCRIPTION\n%s\n",
		strings.ToUpper(p.name), p.name, escapeRoff(p.summary), p.name, escapeRoff(p.intro))
	fmt.Fprintf(w, ".SH EXAMPLE\n.nf\n%s\n.fi\n.SH KEYS\n[] behind a name is one of several tables, which the file writes with two brackets: camera[].line[] is [[camera.line]].\n", escapeRoff(p.example))
	for _, k := range keys {
		if k.Doc == "" {
			continue
		}
		needed := ""
		if k.Needed {
			needed = " (must be there)"
		}
		doc := k.Doc
		if r := describeShape(k.Shape); r != "" {
			doc += ". " + r
		}
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", escapeRoff(k.Name)+needed, escapeRoff(strings.ToUpper(doc[:1])+doc[1:]+"."))
	}
	_, err := fmt.Fprintf(w, ".SH SEE ALSO\n.BR kerb (1),\n.BR %s (5)\n", p.others)
	return err
}

// describeShape says in words what the JSON Schema of a value asks for: its range, or
// the values to choose from. Other members are for editors, and the check names them.
func describeShape(shape string) string {
	if !strings.HasPrefix(shape, "{") {
		shape = "{" + shape + "}"
	}
	var s struct {
		Minimum, Maximum *float64
		Enum             []any
		Items            struct{ Enum []any }
	}
	if json.Unmarshal([]byte(shape), &s) != nil {
		return ""
	}
	var words []string
	for _, v := range append(s.Enum, s.Items.Enum...) {
		words = append(words, fmt.Sprint(v))
	}
	switch {
	case len(words) > 0:
		return "One of: " + strings.Join(words, ", ")
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf("%g to %g", *s.Minimum, *s.Maximum)
	}
	return ""
}
