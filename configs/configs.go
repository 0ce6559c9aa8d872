// Package configs embeds the files that ship with kerb, so that one binary is
// all there is to install: policies, sites, JSON Schemas and the AsyncAPI
// document. It does not parse them; a test gives each of them to its real
// consumer.
package configs

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
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

// asyncAPI is the name of the document of all topics and messages among the schemas.
const asyncAPI = "asyncapi"

// DocumentNames returns the names of all schemas, and asyncapi.
func DocumentNames() ([]string, error) {
	names, err := SchemaNames()
	return append(names, asyncAPI), err
}

// ReadDocument returns a schema by its name, or the AsyncAPI document.
func ReadDocument(name string) ([]byte, error) { return files.ReadFile(documentFile(name)) }

// documentFile returns the name of a document's file, by which the documents refer to
// each other.
func documentFile(name string) string {
	if name == asyncAPI {
		return asyncAPI + ".yaml"
	}
	return name + ".schema.json"
}

// WriteDocuments writes all schemas and the AsyncAPI document to dir, which it creates,
// and returns the paths. Files that are there already are replaced.
func WriteDocuments(dir string) (paths []string, err error) {
	names, err := DocumentNames()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, name := range names {
		b, err := ReadDocument(name)
		if err != nil {
			return paths, err
		}
		path := filepath.Join(dir, documentFile(name))
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}
