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

// SchemaNames returns the names of the embedded JSON Schemas, such as "count".
func SchemaNames() ([]string, error) {
	paths, err := fs.Glob(files, "*.schema.json")
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(p, ".schema.json")
	}
	return paths, err
}

// ReadSchema returns one embedded JSON Schema by its name.
func ReadSchema(name string) ([]byte, error) { return files.ReadFile(name + ".schema.json") }

// ReadPolicy returns one shipped policy file by the name of its profile, such as
// "standard".
func ReadPolicy(name string) ([]byte, error) { return files.ReadFile("policy-" + name + ".toml") }

// ReadAsyncAPI returns the AsyncAPI document of all topics and messages.
func ReadAsyncAPI() ([]byte, error) { return files.ReadFile("asyncapi.yaml") }
