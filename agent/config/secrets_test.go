package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestASecretThatEveryUserReadsIsExposed(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // past the umask
			t.Fatal(err)
		}
		return path
	}
	open, key, private := file("open", 0o604), file("key", 0o777), file("private", 0o640)
	s := &Site{
		Broker:  Broker{PasswordFile: open, KeyFile: key, CAFile: file("ca", 0o644), CertFile: file("cert", 0o644)},
		Cameras: []Camera{{PasswordFile: private}, {PasswordFile: open}, {PasswordFile: filepath.Join(dir, "gone")}, {}},
	}
	if got := s.ExposedSecrets(); !slices.Equal(got, []string{open, key}) {
		t.Errorf("exposed: %v", got)
	}
	if got := s.SecretFiles(); !slices.Equal(got, []string{open, key, private, filepath.Join(dir, "gone")}) {
		t.Errorf("secrets: %v", got)
	}
}

func TestAPasswordFileWithoutAByteIsAMistakeForWhatConnects(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(sound, `url = "mqtt://127.0.0.1:1883"`, "url = \"mqtt://127.0.0.1:1883\"\npassword_file = \"empty\"", 1)
	s, err := Parse(filepath.Join(dir, "site.toml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RejectEmptyPasswords(); err == nil || !strings.Contains(err.Error(), "broker.password_file = \"empty\": must hold a password\nhint: the file is empty") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(empty, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Parse(filepath.Join(dir, "site.toml"), []byte(text)); err != nil || s.RejectEmptyPasswords() != nil {
		t.Errorf("a password: %v", err)
	}
}
