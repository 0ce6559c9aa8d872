package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kerb/agent/terminal"
	"kerb/configs"
)

// schemaCmd is kerb schema: it prints a JSON Schema of a message or of a file, or the
// AsyncAPI document, or writes all of them.
type schemaCmd struct {
	Name string `arg:"" optional:"" help:"Which one; without a name, the list."`
	Dir  string `help:"Write all of them to this folder, under the names by which they refer to each other." placeholder:"DIR"`
}

// Run prints the named schema, or without a name the list of names.
func (s *schemaCmd) Run(t terminal.Terminal) error {
	names, err := configs.SchemaNames()
	if err != nil {
		return err
	}
	names = append(names, "asyncapi")
	switch {
	case s.Dir != "" && s.Name != "":
		return terminal.UsageError("-dir writes all: it goes without a name")
	case s.Dir != "":
		return writeSchemas(t, s.Dir, names)
	case s.Name == "":
		_, err := fmt.Fprintln(t.Out, strings.Join(names, "\n"))
		return err
	case !slices.Contains(names, s.Name):
		return terminal.UsageError(fmt.Sprintf("schema %q: must be one of %s", s.Name, strings.Join(names, ", ")))
	}
	_, b, err := readSchema(s.Name)
	if err != nil {
		return err
	}
	_, err = t.Out.Write(b)
	return err
}

// readSchema returns the file name and the text of a schema or of the AsyncAPI document.
func readSchema(name string) (file string, text []byte, err error) {
	if name == "asyncapi" {
		text, err = configs.ReadAsyncAPI()
		return "asyncapi.yaml", text, err
	}
	text, err = configs.ReadSchema(name)
	return name + ".schema.json", text, err
}

// writeSchemas writes the files of all names to dir, which it creates, and prints their
// paths. Files that are there already are replaced.
func writeSchemas(t terminal.Terminal, dir string, names []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		file, b, err := readSchema(name)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(t.Out, path)
	}
	return nil
}
