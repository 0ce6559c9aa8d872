package policy

import (
	"fmt"
	"slices"
	"strings"
)

// JSONSchema is the JSON Schema of policy.toml, for editors. It is made from
// Keys. It knows the range of every key and which keys go with which method;
// the floors that hold between keys are Parse's.
func JSONSchema() []byte {
	root := &node{needs: []string{"schema", "version", "purpose", "count", "clear", "keep"}}
	for _, k := range policyKeys() {
		n, rest := root, k.Name
		for {
			head, tail, nested := strings.Cut(rest, ".")
			n = n.child(head)
			if rest = tail; !nested {
				break
			}
		}
		n.key = k
	}
	root.child("count").needs = []string{"streams", "classes"}
	root.child("clear").needs = []string{"window", "method"}
	root.child("keep").needs = []string{"retention"}
	root.child("clear").more = methodRules
	var b strings.Builder
	b.WriteString("{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"title\": \"kerb policy.toml\",\n")
	root.body(&b, "  ")
	b.WriteString("}\n")
	return []byte(b.String())
}

// methodRules say which keys each method needs, and which it does not know.
const methodRules = `"allOf": [
      {"if": {"properties": {"method": {"const": "noise"}}}, "then": {"required": ["epsilon", "below"], "properties": {"round": false, "totals": false, "bands": false}}},
      {"if": {"properties": {"method": {"const": "suppress"}}}, "then": {"required": ["below"], "properties": {"below": {"minimum": 5}, "epsilon": false, "bands": false}}},
      {"if": {"properties": {"method": {"const": "bands"}}}, "then": {"required": ["bands"], "properties": {"epsilon": false, "below": false, "round": false, "totals": false}}}
    ]`

// node is a table of the file, or a key if key is set.
type node struct {
	key      Key
	names    []string
	children []*node
	needs    []string
	more     string
}

func (n *node) child(name string) *node {
	i := slices.Index(n.names, name)
	if i < 0 {
		i = len(n.names)
		n.names, n.children = append(n.names, name), append(n.children, &node{})
	}
	return n.children[i]
}

// body writes the members of the object that describes a table.
func (n *node) body(b *strings.Builder, indent string) {
	fmt.Fprintf(b, "%s\"type\": \"object\",\n%s\"additionalProperties\": false,\n", indent, indent)
	if len(n.needs) > 0 {
		fmt.Fprintf(b, "%s\"required\": [\"%s\"],\n", indent, strings.Join(n.needs, `", "`))
	}
	if n.more != "" {
		fmt.Fprintf(b, "%s%s,\n", indent, n.more)
	}
	fmt.Fprintf(b, "%s\"properties\": {", indent)
	for i, c := range n.children {
		comma := ","
		if i == 0 {
			comma = ""
		}
		fmt.Fprintf(b, "%s\n%s  %s: {", comma, indent, quoteTOML(n.names[i]))
		if c.key.Name != "" {
			fmt.Fprintf(b, "\"description\": %s, %s", quoteTOML(c.key.Doc), strings.TrimPrefix(c.key.Shape, "{"))
			continue
		}
		b.WriteString("\n")
		c.body(b, indent+"    ")
		fmt.Fprintf(b, "%s  }", indent)
	}
	fmt.Fprintf(b, "\n%s}\n", indent)
}
