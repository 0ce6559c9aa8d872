package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"kerb/counting/neural/nets"
)

var modelSum = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// shelves are the folders in which a network can be named by its hash.
func shelves(dir, state string) []string {
	state = resolve(dir, cmp.Or(state, DefaultState))
	return []string{filepath.Join(state, "models"), filepath.Join(dir, "models")}
}

// model is where the file of a network lies, and what it must hold. It is for
// a checked file: that a network on a shelf is there is known.
func (s *Site) model(name string) (path, sum string) {
	if name == "" || slices.Contains(nets.All(), name) {
		return name, ""
	}
	if !strings.HasPrefix(name, "sha256:") {
		return resolve(s.Dir(), name), ""
	}
	return shelved(shelves(s.Dir(), s.Device.State), name), name
}

func (c checker) model(key, name string) {
	switch {
	case slices.Contains(nets.All(), name):
	case !strings.HasPrefix(name, "sha256:"):
		c.file(key, name)
	case !modelSum.MatchString(name):
		c.Wrong(key, "must be sha256: and 64 digits of 0–9 and a–f", "kerb model info FILE tells it")
	case shelved(c.shelves, name) == "":
		c.Wrong(key, "is missing: no .kerb file that is there has this hash", "looked in "+strings.Join(c.shelves, " and "))
	}
}

// shelved finds a file by its hash; empty: it is not there.
func shelved(shelves []string, sum string) string {
	for _, dir := range shelves {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if filepath.Ext(path) == ".kerb" && sumOf(path) == sum {
				return path
			}
		}
	}
	return ""
}

// sumOf is a file's hash; what cannot be read has none.
func sumOf(path string) string {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
