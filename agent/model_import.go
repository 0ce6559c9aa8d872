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

	"kerb/agent/network"
	"kerb/counting/neural"
	"kerb/counting/vision"
	"kerb/drivers/camera"
)

type modelCheck struct {
	JSON bool   `help:"As one JSON object."`
	File string `arg:"" help:"An ONNX or .kerb file."`
}

func (m *modelCheck) Run(t terminal) error {
	f, err := readModel(m.File)
	if err != nil {
		return err
	}
	net, err := planNetwork(f, m.File, longSide, longSide, 1, nil)
	if err != nil {
		return err
	}
	defer net.Close()
	if m.JSON {
		return json.NewEncoder(t.out).Encode(map[string]any{"ok": true, "file": m.File, "sha256": f.sum, "sealed": f.sealed})
	}
	words := "a network that finds street users; nothing in the file vouches for it: kerb model import seals one"
	if f.sealed {
		words = fmt.Sprintf("whole, a network that finds street users, shown %d stills", f.Stills)
	}
	_, err = fmt.Fprintf(t.out, "%s: %s\n%s\n", m.File, words, f.sum)
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

func (m *modelImport) Run(ctx context.Context, t terminal) error {
	out := cmp.Or(m.Out, strings.TrimSuffix(filepath.Base(m.File), filepath.Ext(m.File))+".kerb")
	if _, err := os.Lstat(out); err == nil {
		return usageError(out + " is there already: name another file with -out")
	}
	f, err := readModel(m.File)
	if err != nil {
		return err
	}
	if f.sealed {
		return usageError(m.File + " is a .kerb file already: import the ONNX file that it was made of")
	}
	paths, err := images(m.Stills)
	if err != nil {
		return err
	}
	made := network.File{Ranges: neural.Ranges{}, ONNX: f.ONNX}
	if err := m.describe(f, &made.Card); err != nil {
		return err
	}
	for _, path := range paths {
		if err := show(ctx, f, m.File, path, &made); err != nil {
			return err
		}
	}
	b, err := network.Encode(made)
	if err != nil {
		return err
	}
	if err := writeModel(out, b); err != nil {
		return err
	}
	return m.report(t, out, b, made)
}

// describe writes the card but for the stills.
func (m *modelImport) describe(f *modelFile, c *network.Card) error {
	net, err := neural.Load(f.ONNX, m.File, neural.Opts{})
	if err != nil {
		return err
	}
	defer net.Close()
	sight, err := vision.Recognise(net)
	if err != nil {
		return fmt.Errorf("%s: %w", m.File, err)
	}
	info := net.Info()
	*c = network.Card{
		Name: filepath.Base(m.File), Source: f.sum, Licence: cmp.Or(m.Licence, licenceOf(info)), Producer: info.Producer,
		Meta: info.Meta, Input: [2]int{sight.Width, sight.Height}, Imported: time.Now(), By: m.By,
		Commit: cmp.Or(m.Commit, info.Meta["commit"]), Manifest: cmp.Or(m.Manifest, info.Meta["manifest"]),
	}
	if c.By == "" {
		c.By = "unknown"
		if u, err := user.Current(); err == nil {
			c.By = u.Username
		}
	}
	return nil
}

// show lets a network look at one still as it will look at a camera, and
// notes the numbers that it meets.
func show(ctx context.Context, f *modelFile, name, path string, made *network.File) error {
	src, err := camera.OpenStills([]string{path}, limits(clipPixels))
	if err != nil {
		return err
	}
	defer src.Close()
	w, h := src.Size()
	net, err := planNetwork(f, name, w, h, 1, nil)
	if err != nil {
		return err
	}
	defer net.Close()
	n, err := vision.Calibrate(ctx, net, src, w, h, made.Ranges)
	made.Stills += n
	return err
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

func (m *modelImport) report(t terminal, out string, b []byte, made network.File) error {
	sum := network.Sum(b)
	if m.JSON {
		return json.NewEncoder(t.out).Encode(struct {
			File   string       `json:"file"`
			SHA256 string       `json:"sha256"`
			Origin network.Card `json:"origin"`
		}{out, sum, made.Card})
	}
	_, err := fmt.Fprintf(t.out, "%s: %s, shown %d stills; ranges of %d operators\nhash     %s\nnext     put it into the folder models of the device; model = %q in a [[camera]] of site.toml\n",
		out, made.Name, made.Stills, len(made.Ranges), sum, sum)
	return err
}
