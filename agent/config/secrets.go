package config

import (
	"fmt"
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

// RejectEmptyPasswords adds a mistake for each password file without a byte, and returns
// all mistakes of the file. It is for a command that connects.
func (s *Site) RejectEmptyPasswords() error {
	reject := func(key, path string) {
		if info, err := os.Stat(path); path != "" && err == nil && info.Mode().IsRegular() && info.Size() == 0 {
			s.sheet.Reject(key, "must hold a password", "the file is empty")
		}
	}
	reject("broker.password_file", s.Broker.PasswordFile)
	for i, c := range s.Cameras {
		reject(fmt.Sprintf("camera[%d].password_file", i), c.PasswordFile)
	}
	return s.sheet.Err()
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
