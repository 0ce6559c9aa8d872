package config

import (
	"os"
	"slices"
)

// SecretFiles lists the files of the site that hold a password or a private key,
// each once.
func (s *Site) SecretFiles() (paths []string) {
	add := func(path string) {
		if path != "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	add(s.Broker.PasswordFile)
	add(s.Broker.KeyFile)
	for _, c := range s.Cameras {
		add(c.PasswordFile)
	}
	return paths
}

// othersRead is the permission bit with which every user of the machine reads a file.
const othersRead = 0o004

// ExposedSecrets lists the secret files that every user of the machine may read.
func (s *Site) ExposedSecrets() (paths []string) {
	for _, path := range s.SecretFiles() {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&othersRead != 0 {
			paths = append(paths, path)
		}
	}
	return paths
}
