package main

import (
	"fmt"
	"slices"
	"strings"

	"kerb/configs"
)

type schema struct {
	Name string `arg:"" optional:"" help:"Which one; without a name, the list."`
}

func (s *schema) Run(t terminal) error {
	names, err := configs.Schemas()
	if err != nil {
		return err
	}
	names = append(names, "asyncapi")
	if s.Name == "" {
		_, err := fmt.Fprintln(t.out, strings.Join(names, "\n"))
		return err
	}
	if s.Name == "asyncapi" {
		b, err := configs.AsyncAPI()
		if err != nil {
			return err
		}
		_, err = t.out.Write(b)
		return err
	}
	if !slices.Contains(names, s.Name) {
		return usageError(fmt.Sprintf("schema %q: must be one of %s", s.Name, strings.Join(names, ", ")))
	}
	b, err := configs.Schema(s.Name)
	if err != nil {
		return err
	}
	_, err = t.out.Write(b)
	return err
}
