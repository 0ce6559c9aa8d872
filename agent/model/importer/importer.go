// Package importer makes a .kerb file of an ONNX file. It runs the network on stills to
// find the ranges of its values for eight-bit arithmetic, and enters on the network's
// card where it came from. It refuses to replace a file.
package importer

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"
	"time"

	"kerb/agent/model"
	"kerb/agent/policy"
	"kerb/agent/replay"
	"kerb/agent/source"
	"kerb/agent/state"
	"kerb/agent/terminal"
)

// An Order names the files, and the facts of the card that replace those of the ONNX
// file; empty ones do not.
type Order struct {
	File     string   // the ONNX file
	Stills   []string // JPEGs, or folders of them
	Out      string   // the file to write
	Licence  string
	Commit   string // the state of the repository that trained the network
	Manifest string // SHA-256 of the list of pictures it was trained on
	By       string // who imports it; empty: the user of this machine
}

// Run calibrates the network and writes the file, whole or not at all. It returns the
// bytes of the file and their content.
func (m Order) Run(ctx context.Context) (b []byte, made model.KerbFile, err error) {
	if _, err := os.Lstat(m.Out); err == nil {
		return nil, made, terminal.UsageError(m.Out + " is there already: name another file with -out")
	}
	f, err := model.ReadNetwork(m.File)
	if err != nil {
		return nil, made, err
	}
	if f.Sealed {
		return nil, made, terminal.UsageError(m.File + " is a .kerb file already: import the ONNX file that it was made of")
	}
	paths, err := replay.ListImages(m.Stills)
	if err != nil {
		return nil, made, err
	}
	made, err = model.StartImport(f, m.File)
	if err != nil {
		return nil, made, err
	}
	m.fillCard(&made.Card)
	for _, path := range paths {
		if err := m.addStill(ctx, f, path, &made); err != nil {
			return nil, made, err
		}
	}
	b, err = model.Encode(made)
	if err != nil {
		return nil, made, err
	}
	return b, made, writeModel(m.Out, b)
}

// fillCard enters the facts of the command line into the card. Flags replace facts
// of the ONNX file; time and user are always those of the import.
func (m Order) fillCard(c *model.Card) {
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
func (m Order) addStill(ctx context.Context, f *model.Network, path string, made *model.KerbFile) error {
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
