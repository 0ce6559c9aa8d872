package main

import (
	"fmt"
	"slices"
	"strings"

	"kerb/agent/terminal"
	"kerb/configs"
)

// schemaCmd is kerb schema: it prints a JSON Schema of a message or of a file, or the
// AsyncAPI document, or writes all of them.
type schemaCmd struct {
	Name string `arg:"" optional:"" names:"schemas" help:"Which one; without a name, the list."`
	Dir  string `help:"Write all of them to this folder, under the names by which they refer to each other." placeholder:"DIR"`
}

// Run prints the named schema, or without a name the list of names.
func (s *schemaCmd) Run(t terminal.Terminal) error {
	names, err := configs.DocumentNames()
	if err != nil {
		return err
	}
	switch {
	case s.Dir != "" && s.Name != "":
		return terminal.UsageError("-dir writes all: it goes without a name")
	case s.Dir != "":
		files, err := configs.WriteDocuments(s.Dir)
		fmt.Fprint(t.Out, strings.Join(append(files, ""), "\n"))
		return err
	case s.Name == "":
		_, err := fmt.Fprintln(t.Out, strings.Join(names, "\n"))
		return err
	case !slices.Contains(names, s.Name):
		return terminal.UsageError(fmt.Sprintf("schema %q: must be one of %s", s.Name, strings.Join(names, ", ")))
	}
	b, err := configs.ReadDocument(s.Name)
	if err != nil {
		return err
	}
	_, err = t.Out.Write(b)
	return err
}
