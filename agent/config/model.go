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

var modelSumPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// modelDirs are the folders in which a network can be named by its hash.
func modelDirs(dir, state string) []string {
	state = resolvePath(dir, cmp.Or(state, DefaultState))
	return []string{filepath.Join(state, "models"), filepath.Join(dir, "models")}
}

// resolveModel is where the file of a network lies, and what it must hold. It is for
// a checked file: that a network on a shelf is there is known.
func (s *Site) resolveModel(name string) (path, sum string) {
	if name == "" || slices.Contains(nets.All(), name) {
		return name, ""
	}
	if !strings.HasPrefix(name, "sha256:") {
		return resolvePath(s.Dir(), name), ""
	}
	return findModel(modelDirs(s.Dir(), s.Device.State), name), name
}

func (c checker) checkModel(key, name string) {
	switch {
	case slices.Contains(nets.All(), name):
	case !strings.HasPrefix(name, "sha256:"):
		c.checkFile(key, name)
	case !modelSumPattern.MatchString(name):
		c.Reject(key, "must be sha256: and 64 digits of 0–9 and a–f", "kerb model info FILE tells it")
	case findModel(c.modelDirs, name) == "":
		c.Reject(key, "is missing: no .kerb file that is there has this hash", "looked in "+strings.Join(c.modelDirs, " and "))
	}
}

// findModel finds a file by its hash; empty: it is not there.
func findModel(shelves []string, sum string) string {
	for _, dir := range shelves {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if filepath.Ext(path) == ".kerb" && hashFile(path) == sum {
				return path
			}
		}
	}
	return ""
}

// hashFile is a file's hash; what cannot be read has none.
func hashFile(path string) string {
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
