package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"kerb/agent/model"
	"kerb/agent/policy"
	"kerb/agent/replay"
	"kerb/agent/source"
	"kerb/agent/state"
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

// Run calibrates the network and writes the file, whole or not at all. It refuses to
// replace a file.
func (m *modelImport) Run(ctx context.Context, t terminal.Terminal) error {
	out := cmp.Or(m.Out, strings.TrimSuffix(filepath.Base(m.File), filepath.Ext(m.File))+".kerb")
	if _, err := os.Lstat(out); err == nil {
		return terminal.UsageError(out + " is there already: name another file with -out")
	}
	f, err := model.ReadNetwork(m.File)
	if err != nil {
		return err
	}
	if f.Sealed {
		return terminal.UsageError(m.File + " is a .kerb file already: import the ONNX file that it was made of")
	}
	paths, err := replay.ListImages(m.Stills)
	if err != nil {
		return err
	}
	made, err := model.StartImport(f, m.File)
	if err != nil {
		return err
	}
	m.fillCard(&made.Card)
	for _, path := range paths {
		if err := m.addStill(ctx, f, path, &made); err != nil {
			return err
		}
	}
	b, err := model.Encode(made)
	if err != nil {
		return err
	}
	if err := writeModel(out, b); err != nil {
		return err
	}
	return m.printResult(t, out, b, made)
}

// fillCard enters the facts of the command line into the card. Flags replace facts
// of the ONNX file; time and user are always those of the import.
func (m *modelImport) fillCard(c *model.Card) {
	c.Licence, c.Commit, c.Manifest = cmp.Or(m.Licence, c.Licence), cmp.Or(m.Commit, c.Commit), cmp.Or(m.Manifest, c.Manifest)
	c.Imported, c.By = time.Now(), m.By
	if c.By == "" {
		c.By = "unknown"
		if u, err := user.Current(); err == nil {
			c.By = u.Username
		}
	}
}

// addStill runs the network on one still, as on a camera's picture, and widens the
// ranges in made by the values that occur.
func (m *modelImport) addStill(ctx context.Context, f *model.Network, path string, made *model.KerbFile) error {
	src, err := source.OpenFile(path, source.Limits(policy.ClipPixels))
	if err != nil {
		return err
	}
	defer src.Close()
	return model.Calibrate(ctx, f, m.File, src, made)
}

// writeModel writes a file that every user may read, because kerb run may read it as
// a user of its own. After a power cut the file is there and whole, or it is not there.
func writeModel(path string, b []byte) error {
	err := state.Replace(path, b, "")
	if err == nil {
		err = os.Chmod(path, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the network: %w", err)
	}
	return nil
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
