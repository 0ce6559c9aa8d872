package manual

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// WriteCompletion writes the script with which bash, zsh or fish completes commands,
// flags with one dash or two, and values: those of a flag with fixed ones, and names
// that kerb names prints, such as cameras. zsh runs the script of bash through
// bashcompinit; so it keeps to what both know: no mapfile, and no name as the length of a
// part of an array.
func WriteCompletion(w io.Writer, shell string, app *kong.Node) error {
	switch shell {
	case "fish":
		return writeFish(w, app)
	case "zsh":
		fmt.Fprintln(w, "#compdef kerb\nautoload -U +X bashcompinit && bashcompinit")
	}
	if err := writeBash(w, app); err != nil || shell != "zsh" {
		return err
	}
	_, err := fmt.Fprintln(w, "_bash_complete -o default -F _kerb") // for the first tab, which loads this file
	return err
}

// A word is a command, with the words that lead to it.
type word struct {
	path string // such as "audit verify"
	node *kong.Node
}

// listWords lists all visible commands, each before the command that it is part of, so
// that the longest path is tried first.
func listWords(n *kong.Node, path string) (ws []word) {
	for _, c := range visibleCommands(n) {
		p := strings.TrimSpace(path + " " + c.Name)
		ws = append(append(ws, listWords(c, p)...), word{p, c})
	}
	return ws
}

// listNames lists the commands below n and the fixed values and kinds of names of its
// arguments. A kind is a name that kerb names understands.
func listNames(n *kong.Node) (fixed, kinds []string) {
	for _, c := range visibleCommands(n) {
		fixed = append(fixed, c.Name)
	}
	for _, p := range n.Positional {
		if p.Tag.Enum != "" {
			fixed = append(fixed, strings.Split(p.Tag.Enum, ",")...)
		}
		if k := p.Tag.Get("names"); k != "" {
			kinds = append(kinds, k)
		}
	}
	return fixed, kinds
}

// writeBash writes the function for bash and the line that binds it. The first case
// completes the value of the flag before the cursor, the second one what may follow
// the command. Where nothing is listed, bash completes file names.
func writeBash(w io.Writer, app *kong.Node) error {
	fmt.Fprint(w, `_kerb() {
	local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]} words='' names='' dashes='' site='' i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in -site|--site) site=${COMP_WORDS[i+1]} ;; esac
	done
	case "${COMP_WORDS[*]:1:$((COMP_CWORD-1))} " in
`)
	for _, x := range listWords(app, "") {
		fixed, kinds := listNames(x.node)
		fmt.Fprintf(w, "\t'%s '*)\n\t\twords='%s' names='%s' dashes='%s'\n", x.path, strings.Join(fixed, " "), strings.Join(kinds, " "), strings.Join(flagNames(x.node), " "))
		writeBashValues(w, x.node)
		fmt.Fprintln(w, "\t\t;;")
	}
	var names []string
	for _, n := range visibleCommands(app) {
		names = append(names, n.Name)
	}
	_, err := fmt.Fprintf(w, `	'help '*) words='%[1]s' ;;
	*) words='help %[1]s' ;;
	esac
	if [ -n "$names" ]; then words="$words $(kerb names $names ${site:+-site "$site"} 2>/dev/null)"; fi
	case $word in
	--*) words=${dashes// -/ --}; words=-${words# } ;;
	-*) words=$dashes ;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _kerb kerb
`, strings.Join(names, " "))
	return err
}

// writeBashValues writes the cases of flags whose values are known: they replace what
// may follow the command.
func writeBashValues(w io.Writer, n *kong.Node) {
	var values, files []string
	for _, f := range visibleFlags(n) {
		pattern := fmt.Sprintf("-%s|--%s)", f.Name, f.Name)
		switch kind := f.Tag.Get("names"); {
		case f.Tag.Enum != "":
			values = append(values, fmt.Sprintf("%s words='%s' names='' ;;", pattern, strings.ReplaceAll(f.Tag.Enum, ",", " ")))
		case kind != "":
			values = append(values, fmt.Sprintf("%s words='' names='%s' ;;", pattern, kind))
		case !f.IsBool():
			files = append(files, strings.TrimSuffix(pattern, ")"))
		}
	}
	if len(files) > 0 { // nothing is listed, so that bash completes file names
		values = append(values, strings.Join(files, "|")+") words='' names='' ;;")
	}
	if len(values) > 0 {
		fmt.Fprintf(w, "\t\tcase $last in\n\t\t%s\n\t\tesac\n", strings.Join(values, "\n\t\t"))
	}
}

// flagNames lists the visible flags of n with one dash.
func flagNames(n *kong.Node) (fs []string) {
	for _, f := range visibleFlags(n) {
		fs = append(fs, "-"+f.Name)
	}
	return fs
}

// writeFish writes the completion script for fish, in which -o is a flag with one dash
// and -l the same with two.
func writeFish(w io.Writer, app *kong.Node) error {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, n := range visibleCommands(app) {
		fmt.Fprintf(w, "complete -c kerb -n __fish_use_subcommand -f -a %s -d '%s'\n", n.Name, quote.Replace(n.Help))
	}
	for _, x := range listWords(app, "") {
		seen := "__fish_seen_subcommand_from " + x.path[strings.LastIndex(x.path, " ")+1:]
		fixed, kinds := listNames(x.node)
		if top, _, sub := strings.Cut(x.path, " "); sub {
			seen = "__fish_seen_subcommand_from " + top + "; and " + seen
		}
		for _, k := range kinds {
			fixed = append(fixed, fmt.Sprintf("(kerb names %s 2>/dev/null)", k))
		}
		if len(fixed) > 0 {
			fmt.Fprintf(w, "complete -c kerb -n '%s' -a '%s'\n", seen, strings.Join(fixed, " "))
		}
		for _, f := range visibleFlags(x.node) {
			value := ""
			switch kind := f.Tag.Get("names"); {
			case f.Tag.Enum != "":
				value = fmt.Sprintf(" -x -a '%s'", strings.ReplaceAll(f.Tag.Enum, ",", " "))
			case kind != "":
				value = fmt.Sprintf(" -x -a '(kerb names %s 2>/dev/null)'", kind)
			case !f.IsBool():
				value = " -r"
			}
			fmt.Fprintf(w, "complete -c kerb -n '%s' -o %s -l %s%s -d '%s'\n", seen, f.Name, f.Name, value, quote.Replace(f.Help))
		}
	}
	var names []string
	for _, n := range visibleCommands(app) {
		names = append(names, n.Name)
	}
	_, err := fmt.Fprintf(w, "complete -c kerb -n __fish_use_subcommand -f -a help -d 'The flags of a command'\ncomplete -c kerb -n '__fish_seen_subcommand_from help' -f -a '%s'\n", strings.Join(slices.Sorted(slices.Values(names)), " "))
	return err
}
