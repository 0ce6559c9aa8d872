package manual

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// PrintHelp is the kong.HelpPrinter of kerb. Without a command it lists the commands
// by who uses them, with an example each; otherwise it prints kong's own help of the
// command and its examples. Flags have one dash, as in the notes.
func PrintHelp(o kong.HelpOptions, ctx *kong.Context) error {
	selected := ctx.Selected()
	if selected == nil {
		return writeCommands(ctx.Stdout, ctx.Model.Node)
	}
	out := ctx.Stdout
	var b bytes.Buffer
	ctx.Stdout = &b
	err := kong.DefaultHelpPrinter(o, ctx)
	ctx.Stdout = out
	if err != nil {
		return err
	}
	text := moreHelp.ReplaceAllString(twoDashes.ReplaceAllString(b.String(), "$1 $2-$3"), "kerb help $1 COMMAND tells more of one command.")
	if selected.Group != nil { // kong's head of the commands below it
		text = strings.Replace(text, "\n"+selected.Group.Title+"\n", "\nCommands:\n", 1)
	}
	if e := listExamples(selected); len(e) > 0 {
		text += "\nExample:\n  " + strings.Join(e, "\n  ") + "\n"
	}
	_, err = io.WriteString(out, text)
	return err
}

var (
	// twoDashes matches the flag at the beginning of a line of kong's help, with its
	// short form.
	twoDashes = regexp.MustCompile(`(?m)^( *)(-h, )?--([a-z])`)
	// moreHelp matches kong's last line.
	moreHelp = regexp.MustCompile(`Run "kerb (\w+) <command> --help" for more information on a command.`)
)

// writeCommands writes all commands, group by group.
func writeCommands(w io.Writer, app *kong.Node) error {
	fmt.Fprintf(w, "Usage: kerb COMMAND [FLAGS]\n\n%s\n", app.Help)
	var last *kong.Group
	for _, c := range visibleCommands(app) {
		if last == nil || c.Group.Key != last.Key {
			last = c.Group
			fmt.Fprintf(w, "\n%s:\n", last.Title)
		}
		fmt.Fprintf(w, "  %-10s %s\n", c.Name, c.Help)
		for _, e := range listExamples(c) {
			fmt.Fprintf(w, "             $ %s\n", e)
		}
	}
	_, err := fmt.Fprint(w, "\nkerb help COMMAND tells its flags. Manual: man kerb, man site.toml, man policy.toml.\n")
	return err
}

// listExamples lists the examples of a command: its tag example.
func listExamples(n *kong.Node) []string {
	if n.Tag == nil {
		return nil
	}
	return n.Tag.GetAll("example")
}

// FormatValue is the kong.HelpValueFormatter of kerb: the help of a flag, and its default
// where the placeholder does not show it.
func FormatValue(v *kong.Value) string {
	help := kong.DefaultHelpValueFormatter(v)
	if v.HasDefault && v.Default != "" && v.Tag.PlaceHolder != "" {
		value := v.Default
		if value == "." {
			value = "this folder"
		}
		help += " Default: " + value + "."
	}
	return help
}
