package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"kerb/agent/terminal"
)

// manualCmd is kerb manual: it prints the manual page kerb(1) in roff. The page is
// made from the help of the commands, so that the two cannot differ.
type manualCmd struct{}

// Run writes the page with the macros of man(7).
func (manualCmd) Run(k *kong.Context, t terminal.Terminal) error {
	app := k.Model.Node
	fmt.Fprintf(t.Out, ".TH KERB 1 \"\" \"kerb\" \"User Commands\"\n.SH NAME\nkerb \\- counts people and vehicles at the kerb and forgets what it saw\n")
	fmt.Fprintf(t.Out, ".SH SYNOPSIS\n.B kerb\n.I command\n.RI [ flags ]\n.SH DESCRIPTION\n%s\n", escapeRoff(app.Help))
	fmt.Fprintln(t.Out, "What is meant for another program goes to standard output, words for people to standard error.\n.SH COMMANDS")
	for _, c := range visibleCommands(app) {
		writeManual(t.Out, c, "kerb "+c.Name)
	}
	_, err := fmt.Fprint(t.Out, `.SH FILES
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
	for _, p := range n.Positional {
		fmt.Fprintf(w, ".TP\n.I %s\n%s\n", escapeRoff(p.Summary()), escapeRoff(p.Help))
	}
	for _, f := range visibleFlags(n) {
		name := "-" + f.Name
		if !f.IsBool() {
			name += " " + f.FormatPlaceHolder()
		}
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", escapeRoff(name), escapeRoff(f.Help))
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

// completionCmd is kerb completion: it prints a script with which a shell completes
// commands and flags.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script for bash, which zsh runs through bashcompinit, or for fish.
func (c completionCmd) Run(k *kong.Context, t terminal.Terminal) error {
	if c.Shell == "fish" {
		return writeFish(t.Out, k.Model.Node)
	}
	if c.Shell == "zsh" {
		fmt.Fprintln(t.Out, "#compdef kerb\nautoload -U +X bashcompinit && bashcompinit")
	}
	fmt.Fprint(t.Out, "_kerb() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} words\n\tcase \"${COMP_WORDS[*]:1:COMP_CWORD-1} \" in\n")
	var names []string
	for _, n := range visibleCommands(k.Model.Node) {
		names = append(names, n.Name)
		var inner []string
		for _, sub := range visibleCommands(n) {
			inner = append(inner, sub.Name)
			fmt.Fprintf(t.Out, "\t'%s %s '*) words='%s' ;;\n", n.Name, sub.Name, joinFlags(sub))
		}
		fmt.Fprintf(t.Out, "\t'%s '*) words='%s' ;;\n", n.Name, strings.TrimSpace(strings.Join(inner, " ")+" "+joinFlags(n)))
	}
	_, err := fmt.Fprintf(t.Out, "\t*) words='%s' ;;\n\tesac\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\ncomplete -o default -F _kerb kerb\n", strings.Join(names, " "))
	return err
}

// joinFlags joins the visible flags of n by spaces.
func joinFlags(n *kong.Node) string {
	var fs []string
	for _, f := range visibleFlags(n) {
		fs = append(fs, "-"+f.Name)
	}
	return strings.Join(fs, " ")
}

// writeFish writes the completion script for fish.
func writeFish(w io.Writer, app *kong.Node) error {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, n := range visibleCommands(app) {
		fmt.Fprintf(w, "complete -c kerb -n __fish_use_subcommand -f -a %s -d '%s'\n", n.Name, quote.Replace(n.Help))
		for _, f := range visibleFlags(n) {
			fmt.Fprintf(w, "complete -c kerb -n '__fish_seen_subcommand_from %s' -o %s -d '%s'\n", n.Name, f.Name, quote.Replace(f.Help))
		}
	}
	_, err := fmt.Fprintln(w, "complete -c kerb -n __fish_use_subcommand -o help -d 'What kerb can do'")
	return err
}
