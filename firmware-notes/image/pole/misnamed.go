package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// misnamedPattern is a name under which a computer saves one of the card's files when it
// adds an ending of its own (Windows hides it) or a number. aim.toml is looked for by
// readRequest.
var misnamedPattern = regexp.MustCompile(`(?i)^(policy|site|wifi|system)( ?\([0-9]+\))?(\.toml)?(\.(txt|rtf|html?))?$`)

// findMisnamed looks for files of the folder kerb of the card under wrong names, and
// beside the folder, where pole does not read them. Its error lists those whose right
// file is missing: without it, a wifi.toml.txt would be passed over in silence.
func findMisnamed(card string) error {
	var wrong []error
	there := map[string]bool{} // FAT does not tell capitals from small letters
	if entries, err := os.ReadDir(filepath.Join(card, "kerb")); err == nil {
		for _, e := range entries {
			there[strings.ToLower(e.Name())] = true
		}
	}
	for _, dir := range []string{"kerb", "."} {
		entries, err := os.ReadDir(filepath.Join(card, dir))
		if err != nil {
			continue // an unreadable card is told by those who copy it
		}
		for _, e := range entries {
			m := misnamedPattern.FindStringSubmatch(e.Name())
			if m == nil || e.IsDir() {
				continue
			}
			right := strings.ToLower(m[1]) + ".toml"
			if there[right] {
				continue
			}
			advice := "rename it to " + right
			if dir == "." {
				advice = "move it into the folder kerb, as " + right
			}
			wrong = append(wrong, fmt.Errorf("%s: is not read under this name: %s", filepath.Join(dir, e.Name()), advice))
		}
	}
	return errors.Join(wrong...)
}
