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
	"kerb/agent/terminal"
)

type modelCheck struct {
	JSON bool   `help:"As one JSON object."`
	File string `arg:"" help:"An ONNX or .kerb file."`
}

func (m *modelCheck) Run(t terminal.Terminal) error {
	f, err := model.ReadNetwork(m.File)
	if err != nil {
		return err
	}
	net, err := model.PlanNetwork(f, m.File, model.MaxInputSide, model.MaxInputSide, 1, nil)
	if err != nil {
		return err
	}
	defer net.Close()
	if m.JSON {
		return json.NewEncoder(t.Out).Encode(map[string]any{"ok": true, "file": m.File, "sha256": f.Sum, "sealed": f.Sealed})
	}
	words := "a network that finds street users; nothing in the file vouches for it: kerb model import seals one"
	if f.Sealed {
		words = fmt.Sprintf("whole, a network that finds street users, shown %d stills", f.Stills)
	}
	_, err = fmt.Fprintf(t.Out, "%s: %s\n%s\n", m.File, words, f.Sum)
	return err
}

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

// fillCard replaces the facts of the file by those of the command line.
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

// addStill runs the network on one still as on a camera's picture, and adds the
// ranges of its numbers to made.
func (m *modelImport) addStill(ctx context.Context, f *model.Network, path string, made *model.File) error {
	src, err := source.OpenFile(path, source.Limits(policy.ClipPixels))
	if err != nil {
		return err
	}
	defer src.Close()
	return model.Calibrate(ctx, f, m.File, src, made)
}

// writeModel writes a file whole or not at all.
func writeModel(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".import-*")
	if err != nil {
		return fmt.Errorf("write the network: %w", err)
	}
	defer os.Remove(f.Name()) // gone already, if all went well
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the network: %w", err)
	}
	return nil
}

func (m *modelImport) printResult(t terminal.Terminal, out string, b []byte, made model.File) error {
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
