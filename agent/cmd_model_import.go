package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"kerb/agent/model"
	"kerb/agent/model/importer"
	"kerb/agent/terminal"
)

// modelImport is kerb model import: it makes a .kerb file of an ONNX file. It runs
// the network on stills to find the ranges of its values for eight-bit arithmetic.
type modelImport struct {
	Out      string   `help:"The file to write; empty: FILE's name with .kerb, here." placeholder:"F"`
	Licence  string   `help:"What the network may be used for; empty: what the file tells." placeholder:"TEXT"`
	By       string   `help:"Who imports it; empty: the user of this machine." placeholder:"NAME"`
	Commit   string   `help:"The state of the repository that trained it; empty: what the file tells." placeholder:"HASH"`
	Manifest string   `help:"SHA-256 of the list of pictures it was trained on; empty: what the file tells." placeholder:"sha256:…"`
	JSON     bool     `help:"As one JSON object."`
	File     string   `arg:"" help:"An ONNX file."`
	Stills   []string `arg:"" name:"STILL" help:"JPEGs, or folders of them, like what the camera will see: some dozens are enough."`
}

// Run hands the order to package importer and prints the result.
func (m *modelImport) Run(ctx context.Context, t terminal.Terminal) error {
	out := cmp.Or(m.Out, strings.TrimSuffix(filepath.Base(m.File), filepath.Ext(m.File))+".kerb")
	b, made, err := importer.Order{
		File: m.File, Stills: m.Stills, Out: out, Licence: m.Licence, Commit: m.Commit, Manifest: m.Manifest, By: m.By,
	}.Run(ctx)
	if err != nil {
		return err
	}
	return m.printResult(t, out, b, made)
}

// printResult prints the hash of the file b at path out, and the next step.
func (m *modelImport) printResult(t terminal.Terminal, out string, b []byte, made model.KerbFile) error {
	sum := model.Sum(b)
	if m.JSON {
		return json.NewEncoder(t.Out).Encode(struct {
			File   string     `json:"file"`
			SHA256 string     `json:"sha256"`
			Origin model.Card `json:"origin"`
		}{out, sum, made.Card})
	}
	_, err := fmt.Fprintf(t.Out, "%s: %s, shown %d stills; ranges of %d operators\nhash     %s\nnext     put it into the folder models of the device; model = %q in a [[camera]] of site.toml\n",
		out, made.Name, made.Stills, len(made.Ranges), sum, sum)
	return err
}
