package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mapLine matches a line of a way in agent/doc.go: a folder, and files in
// parentheses. A file with a slash is named from the root or from agent.
var mapLine = regexp.MustCompile(`^//\t((?:agent|counting|drivers)[a-z/]*) .*\(([^)]*\.go[^)]*)\)$`)

// The map of the tree names files; this test finds those that are gone.
func TestTheMapNamesFilesThatExist(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "agent", "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	lines, missing := checkMap(root, string(text))
	if lines < 12 {
		t.Errorf("only %d lines of the map name files", lines)
	}
	for _, m := range missing {
		t.Errorf("agent/doc.go names %s, which does not exist", m)
	}
	// The control.
	if _, m := checkMap(root, "//\tagent/store      commits (planted.go, append.go)\n"); len(m) != 1 {
		t.Errorf("a planted file that does not exist: found %v", m)
	}
}

func checkMap(root, text string) (lines int, missing []string) {
	for line := range strings.Lines(text) {
		m := mapLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		lines++
		for file := range strings.SplitSeq(m[2], ", ") {
			if !strings.HasSuffix(file, ".go") {
				continue
			}
			found := false
			for _, dir := range []string{m[1], ".", "agent"} {
				_, err := os.Stat(filepath.Join(root, dir, file))
				found = found || err == nil
			}
			if !found {
				missing = append(missing, m[1]+"/"+file)
			}
		}
	}
	return lines, missing
}
