// Package manual writes what the commands say of themselves in other forms: the manual
// page kerb(1) and the completions of the shells. All of it is made from the flags and
// help texts of package main, as kong reads them, so that the two cannot differ.
package manual

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// WritePage writes kerb(1) with the macros of man(7).
func WritePage(w io.Writer, app *kong.Node) error {
	fmt.Fprintf(w, ".TH KERB 1 \"\" \"kerb\" \"User Commands\"\n.SH NAME\nkerb \\- counts people and vehicles at the kerb and forgets what it saw\n")
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B kerb\n.I command\n.RI [ flags ]\n.SH DESCRIPTION\n%s\n", escapeRoff(app.Help))
	fmt.Fprintln(w, "What is meant for another program goes to standard output, words for people to standard error.\n.SH COMMANDS")
	var last *kong.Group
	for _, c := range visibleCommands(app) {
		if last == nil || c.Group.Key != last.Key {
			last = c.Group
			fmt.Fprintf(w, ".PP\n%s:\n", escapeRoff(last.Title))
		}
		writeManual(w, c, "kerb "+c.Name)
	}
	_, err := fmt.Fprint(w, `.SH FILES
.TP
.I /etc/kerb/policy.toml
The reviewer's file: what may be counted, in which windows, cleared how.
.TP
.I /etc/kerb/site.toml
The engineer's file: cameras or loops, lines, broker.
.TP
.I /var/lib/kerb
The spool of cleared windows, the audit log and the device's keys.
.SH EXIT STATUS
0: done. 1: failed. 2: a wrong command line or a wrong file.
.SH SEE ALSO
.BR site.toml (5),
.BR policy.toml (5),
.BR minisign (1),
.BR mosquitto_sub (1)
`)
	return err
}

// visibleCommands lists the commands below n that --help lists.
func visibleCommands(n *kong.Node) (cs []*kong.Node) {
	for _, c := range n.Children {
		if !c.Hidden {
			cs = append(cs, c)
		}
	}
	return cs
}

// writeManual writes the section of one command and of the commands below it.
func writeManual(w io.Writer, n *kong.Node, name string) {
	fmt.Fprintf(w, ".SS %s\n%s\n", escapeRoff(name), escapeRoff(n.Help))
	for para := range strings.SplitSeq(n.Detail, "\n\n") {
		if para != "" && n.Detail != n.Help {
			fmt.Fprintf(w, ".PP\n%s\n", escapeRoff(para))
		}
	}
	for _, e := range listExamples(n) {
		fmt.Fprintf(w, ".PP\nExample:\n.B %s\n", escapeRoff(e))
	}
	for _, p := range n.Positional {
		fmt.Fprintf(w, ".TP\n.I %s\n%s\n", escapeRoff(p.Summary()), escapeRoff(p.Help))
	}
	for _, f := range visibleFlags(n) {
		name := "-" + f.Name
		if !f.IsBool() {
			name += " " + f.FormatPlaceHolder()
		}
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", escapeRoff(name), escapeRoff(FormatValue(f.Value)))
	}
	for _, c := range visibleCommands(n) {
		writeManual(w, c, name+" "+c.Name)
	}
}

// visibleFlags lists the flags of n that --help lists, without --help itself.
func visibleFlags(n *kong.Node) (fs []*kong.Flag) {
	for _, f := range n.Flags {
		if !f.Hidden && f.Name != "help" {
			fs = append(fs, f)
		}
	}
	return fs
}

// escapeRoff escapes backslashes, hyphens, and full stops and apostrophes at the
// beginning of a line, where roff would read a request.
func escapeRoff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(strings.TrimSpace(s))
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return strings.NewReplacer("\n.", "\n\\&.", "\n'", "\n\\&'").Replace(s)
}
