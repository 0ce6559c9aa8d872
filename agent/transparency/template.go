package transparency

import (
	"fmt"
	"reflect"
	"strings"

	"kerb/agent/mistake"
)

// templateWidth is the longest comment line of the template, in characters.
const templateWidth = 90

// Template returns a declared.toml to begin with: every key commented out, with what its
// answer is for. It is valid as it stands, and has no answer.
func Template() string {
	var b strings.Builder
	b.WriteString("#:schema declared.schema.json\n\n")
	wrapComment(&b, "The controller's answers for the transparency record. kerb fills none of them: without an answer a register, the sign and the page say \"not provided\". Remove the # before an answer. Sign the finished file: minisign -S -m declared.toml")
	fmt.Fprintf(&b, "\nschema = %q\n", SchemaDeclared)
	table := ""
	for _, q := range Questions() {
		head, name, _ := strings.Cut(q.Key, ".")
		if head != table {
			fmt.Fprintf(&b, "\n[%s]\n", head)
			table = head
		}
		wrapComment(&b, strings.ToUpper(q.Ask[:1])+q.Ask[1:]+". For: "+q.AskedBy+".")
		fmt.Fprintf(&b, "# %s = %s\n", name, q.example())
	}
	return b.String()
}

// example is an empty answer of the right form.
func (q Question) example() string {
	switch q.form {
	case choiceForm:
		return `""  # ` + strings.Join(q.choices, ", ")
	case listForm:
		if len(q.choices) > 0 {
			return `[""]  # some of: ` + strings.Join(q.choices, ", ")
		}
		return `[""]`
	case flagForm:
		return "true  # or false"
	case proseForm:
		return `""" """`
	case monthForm:
		return `""  # YYYY-MM`
	case dayForm:
		return `""  # YYYY-MM-DD`
	}
	return `""`
}

// wrapComment writes text as comment lines.
func wrapComment(b *strings.Builder, text string) {
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > templateWidth {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

// DeclaredSchema is the JSON Schema of declared.toml.
func DeclaredSchema() []byte {
	keys := []mistake.Key{mistake.Required("schema", "the form of this file", `{"const": "`+SchemaDeclared+`"}`)}
	for _, q := range Questions() {
		keys = append(keys, q.schemaKey())
	}
	return mistake.JSONSchema("kerb declared.toml", reflect.TypeFor[declaredFile](), keys)
}
