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

// modelDirs are the directories in which a network can be named by its hash.
func modelDirs(dir, state string) []string {
	state = resolvePath(dir, cmp.Or(state, DefaultState))
	return []string{filepath.Join(state, "models"), filepath.Join(dir, "models")}
}

// resolveModel is the path of a network's file and the hash that the file must
// have; for a network in the binary, its name and no hash. The file must be
// checked: then a network that is named by its hash was found.
func (s *Site) resolveModel(name string) (path, sum string) {
	if name == "" || slices.Contains(nets.Names(), name) {
		return name, ""
	}
	if !strings.HasPrefix(name, "sha256:") {
		return resolvePath(s.Dir(), name), ""
	}
	return findModel(modelDirs(s.Dir(), s.Device.State), name), name
}

func (c checker) checkModel(key, name string) {
	switch {
	case slices.Contains(nets.Names(), name):
	case !strings.HasPrefix(name, "sha256:") && filepath.Ext(name) == "" && !c.elsewhere && !isFile(resolvePath(c.dir, name)):
		c.Reject(key, "must be a network that is part of kerb, or a file", "part of kerb are "+strings.Join(nets.Names(), ", "))
	case !strings.HasPrefix(name, "sha256:"):
		c.checkFile(key, name)
	case !modelSumPattern.MatchString(name):
		c.Reject(key, "must be sha256: and 64 digits of 0–9 and a–f", "kerb model info FILE tells it")
	case !c.elsewhere && findModel(c.modelDirs, name) == "":
		c.Reject(key, "is missing: no .kerb file that is there has this hash", "looked in "+strings.Join(c.modelDirs, " and "))
	}
}

// findModel searches the directories for the .kerb file with the hash sum. It
// returns "" if none has it.
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

// hashFile is the hash of a regular file as sha256:…; "" if it cannot be read.
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
