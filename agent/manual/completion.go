package manual

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// WriteCompletion writes the script with which bash, zsh or fish completes commands
// and flags. zsh runs the script of bash through bashcompinit.
func WriteCompletion(w io.Writer, shell string, app *kong.Node) error {
	if shell == "fish" {
		return writeFish(w, app)
	}
	if shell == "zsh" {
		fmt.Fprintln(w, "#compdef kerb\nautoload -U +X bashcompinit && bashcompinit")
	}
	fmt.Fprint(w, "_kerb() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} words\n\tcase \"${COMP_WORDS[*]:1:COMP_CWORD-1} \" in\n")
	var names []string
	for _, n := range visibleCommands(app) {
		names = append(names, n.Name)
		var inner []string
		for _, sub := range visibleCommands(n) {
			inner = append(inner, sub.Name)
			fmt.Fprintf(w, "\t'%s %s '*) words='%s' ;;\n", n.Name, sub.Name, joinFlags(sub))
		}
		fmt.Fprintf(w, "\t'%s '*) words='%s' ;;\n", n.Name, strings.TrimSpace(strings.Join(inner, " ")+" "+joinFlags(n)))
	}
	_, err := fmt.Fprintf(w, "\t*) words='%s' ;;\n\tesac\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\ncomplete -o default -F _kerb kerb\n", strings.Join(names, " "))
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
