package manual

import (
	"errors"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// dashes matches a flag with two dashes, as kong writes it.
var dashes = regexp.MustCompile(`--([a-z])`)

// ExplainParseError returns the text of an error of kong.Parse, with flags as the help writes
// them and with the help of an argument that is missing, and a hint where to read on.
func ExplainParseError(err error) (text, hint string) {
	text, hint = dashes.ReplaceAllString(err.Error(), "-$1"), "kerb help lists the commands"
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context.Selected() == nil {
		return text, hint
	}
	command := parse.Context.Selected()
	for _, argument := range command.Positional {
		if argument.Required && strings.HasPrefix(text, "expected ") && strings.Contains(text, "<"+argument.Name+">") {
			text += ": " + argument.Help
			break
		}
	}
	return text, strings.Replace(command.FullPath(), "kerb", "kerb help", 1) + " tells its flags"
}
