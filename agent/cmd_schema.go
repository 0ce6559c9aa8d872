package main

import (
	"fmt"
	"slices"
	"strings"

	"kerb/agent/terminal"
	"kerb/configs"
)

// schemaCmd is kerb schema: it prints a JSON Schema of a message or of a file, or the
// AsyncAPI document.
type schemaCmd struct {
	Name string `arg:"" optional:"" help:"Which one; without a name, the list."`
}

// Run prints the named schema, or without a name the list of names.
func (s *schemaCmd) Run(t terminal.Terminal) error {
	names, err := configs.SchemaNames()
	if err != nil {
		return err
	}
	names = append(names, "asyncapi")
	if s.Name == "" {
		_, err := fmt.Fprintln(t.Out, strings.Join(names, "\n"))
		return err
	}
	if s.Name == "asyncapi" {
		b, err := configs.ReadAsyncAPI()
		if err != nil {
			return err
		}
		_, err = t.Out.Write(b)
		return err
	}
	if !slices.Contains(names, s.Name) {
		return terminal.UsageError(fmt.Sprintf("schema %q: must be one of %s", s.Name, strings.Join(names, ", ")))
	}
	b, err := configs.ReadSchema(s.Name)
	if err != nil {
		return err
	}
	_, err = t.Out.Write(b)
	return err
}
