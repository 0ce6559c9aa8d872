package vocabulary

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Page returns firmware-notes/words.md.
func Page() []byte {
	var b strings.Builder
	b.WriteString(`<!-- Made from agent/vocabulary: KERB_UPDATE=1 go test ./agent/vocabulary writes it. -->
# The words on the wire

Every reason of a window, every kind of event and every reason for which windows are gone, with
what a platform shall do. A later version of kerb may add words and keys: treat a reason that you do not
know as one that needs nothing, and keep an event that you do not know.

## Reasons of windows

` + "`reason`" + ` of a count says why ` + "`quality`" + ` is ` + "`partial`" + ` or ` + "`gap`" + `. A gap has no counts: that is not 0.

`)
	writeWords(&b, "reason", Reasons())
	b.WriteString(`
## Events

` + "`kind`" + ` of an event, with the members of ` + "`data`" + `. An event is told at least once: the same ` + "`epoch` and `n`" + ` are
the same event. Members in brackets may be absent.

`)
	for _, e := range Events() {
		fmt.Fprintf(&b, "### `%s`\n\n%s\n\n**To do:** %s\n\n| member | what it is |\n|---|---|\n", e.Kind, e.Meaning, e.Action)
		for _, m := range e.Data {
			name := "`" + m.Name + "`"
			if m.Optional {
				name = "(" + name + ")"
			}
			fmt.Fprintf(&b, "| %s | %s |\n", name, m.Doc)
		}
		b.WriteString("\n")
	}
	b.WriteString("## Reasons of the event `evicted`, and of `gone` in an answer\n\n")
	writeWords(&b, "reason", LossReasons())
	b.WriteString("\n## Reasons of the event `epoch`\n\n")
	writeWords(&b, "reason", EpochReasons())
	b.WriteString("\n## Reasons of the event `want`, and of `agent.config` in state\n\n")
	writeWords(&b, "reason", WantReasons())
	return []byte(b.String())
}

// writeWords writes a table of words.
func writeWords(b *strings.Builder, title string, words []Word) {
	fmt.Fprintf(b, "| %s | what the device has found | to do |\n|---|---|---|\n", title)
	for _, w := range words {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", w.Word, w.Meaning, w.Action)
	}
}

// EventSchema returns the text of event.schema.json, two spaces a level.
func EventSchema() ([]byte, error) {
	var kinds, branches []string
	for _, e := range Events() {
		kinds = append(kinds, quote(e.Kind))
		branches = append(branches, e.branch())
	}
	text := strings.NewReplacer("KINDS", strings.Join(kinds, ","), "BRANCHES", strings.Join(branches, ","), "LEVEL", level, "UUID", uuid).Replace(eventSchema)
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), "", "  "); err != nil {
		return nil, err
	}
	return append(bytes.TrimSpace(out.Bytes()), '\n'), nil
}

// branch returns the condition of the schema that describes the data of e.
func (e Event) branch() string {
	var members, required []string
	for _, m := range e.Data {
		members = append(members, fmt.Sprintf(`%s:{%s,"description":%s}`, quote(m.Name), m.Shape, quote(m.Doc)))
		if !m.Optional {
			required = append(required, quote(m.Name))
		}
	}
	return fmt.Sprintf(`{"if":{"properties":{"kind":{"const":%s}}},"then":{"required":["data"],"properties":{"data":{"type":"object","description":%s,"properties":{%s},"required":[%s]}}}}`,
		quote(e.Kind), quote(e.Meaning), strings.Join(members, ","), strings.Join(required, ","))
}

// quote returns s as a string of JSON.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // a string can always be written
	}
	return strings.TrimSpace(b.String())
}

// eventSchema is event.schema.json without the tables.
const eventSchema = `{
"$schema": "https://json-schema.org/draft/2020-12/schema",
"$id": "event.schema.json",
"$comment": "made from agent/vocabulary: KERB_UPDATE=1 go test ./agent/vocabulary writes it",
"title": "Something that happened",
"description": "Told at least once. The same epoch and n are the same event, or an eviction that went on. Keys and kinds may be added: ignore the keys that you do not know, and keep events of kinds that you do not know. Keys are never removed, renamed or given another meaning within version 1: see firmware-notes/platforms.md.",
"type": "object",
"properties": {
"schema": {"const": "kerb.event/1", "description": "name and version of this schema"},
"tenant": {LEVEL, "description": "level of the topics: whose device this is"},
"site": {LEVEL, "description": "level of the topics: where the device is; unique within the tenant"},
"device": {LEVEL, "description": "level of the topics: the name of the device; unique within tenant and site only"},
"epoch": {UUID, "description": "that was open when it happened; with n the identity of the event"},
"n": {"type": "integer", "minimum": 1, "description": "number of the event; with epoch its identity"},
"at": {"type": "string", "format": "date-time", "description": "when; absent while the clock could not be believed"},
"kind": {"type": "string", "pattern": "^[a-z0-9_]{1,32}$", "examples": [KINDS], "description": "what happened: see firmware-notes/words.md"},
"data": {"type": "object", "description": "more about it, by kind; further keys may come"}
},
"required": ["schema", "tenant", "site", "device", "epoch", "n", "kind"],
"allOf": [BRANCHES]
}`
