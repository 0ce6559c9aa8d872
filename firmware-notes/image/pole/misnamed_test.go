package main

import (
	"strings"
	"testing"
)

func TestAFileUnderAWrongNameIsTold(t *testing.T) {
	for name, want := range map[string]string{
		"kerb/wifi.toml.txt":   "rename it to wifi.toml",
		"kerb/Site.toml.TXT":   "rename it to site.toml",
		"kerb/policy (1).toml": "rename it to policy.toml",
		"kerb/policy.txt":      "rename it to policy.toml",
		"kerb/system.toml.rtf": "rename it to system.toml",
		"site.toml":            "move it into the folder kerb, as site.toml",
		"kerb/site.toml":       "",
		"kerb/SITE.toml":       "",
		"kerb/ca.pem":          "",
		"kerb/word.txt":        "",
		"kerb/site.toml.old":   "",
		"kerb/._site.toml":     "",
	} {
		card := t.TempDir()
		writeFiles(t, card, map[string]string{name: "x"})
		err := findMisnamed(card)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), name+": ") || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	// Beside the right file, another one is a copy that its owner keeps.
	card := t.TempDir()
	writeFiles(t, card, map[string]string{"kerb/wifi.toml": "x", "kerb/wifi.toml.txt": "x", "site.toml": "x", "kerb/site.toml": "x"})
	if err := findMisnamed(card); err != nil {
		t.Error(err)
	}
}
