// Package configs holds the files that ship with kerb: policies, sites,
// schemas. They are embedded so that one binary is all there is to flash.
package configs

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.toml *.json *.yaml
var files embed.FS

// Schemas are the names of the embedded JSON Schemas, such as "count".
func Schemas() ([]string, error) {
	paths, err := fs.Glob(files, "*.schema.json")
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(p, ".schema.json")
	}
	return paths, err
}

// Schema is one embedded JSON Schema by its name.
func Schema(name string) ([]byte, error) { return files.ReadFile(name + ".schema.json") }

// Policy is one shipped policy by the name of its profile, such as "standard".
func Policy(name string) ([]byte, error) { return files.ReadFile("policy-" + name + ".toml") }

// AsyncAPI describes all topics and messages as one document.
func AsyncAPI() ([]byte, error) { return files.ReadFile("asyncapi.yaml") }
