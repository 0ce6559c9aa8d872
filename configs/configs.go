// Package configs embeds the files that ship with kerb, so that one binary is
// all there is to install: policies, sites, JSON Schemas and the AsyncAPI
// document. It does not parse them; a test gives each of them to its real
// consumer.
package configs

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.toml *.json *.yaml
var files embed.FS

// Schemas returns the names of the embedded JSON Schemas, such as "count".
func Schemas() ([]string, error) {
	paths, err := fs.Glob(files, "*.schema.json")
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(p, ".schema.json")
	}
	return paths, err
}

// Schema returns one embedded JSON Schema by its name.
func Schema(name string) ([]byte, error) { return files.ReadFile(name + ".schema.json") }

// Policy returns one shipped policy file by the name of its profile, such as
// "standard".
func Policy(name string) ([]byte, error) { return files.ReadFile("policy-" + name + ".toml") }

// AsyncAPI returns the AsyncAPI document of all topics and messages.
func AsyncAPI() ([]byte, error) { return files.ReadFile("asyncapi.yaml") }
