package notes

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile("`([a-z0-9_/]+) (Test[A-Za-z0-9_]+)`")
	localLink = regexp.MustCompile(`\]\(([^):#]+)(#[^)]*)?\)`)
)

// missingTests are the tests that a text names and no package has.
func missingTests(t *testing.T, root, text string) (missing []string, named int) {
	t.Helper()
	for _, m := range namedTest.FindAllStringSubmatch(text, -1) {
		files, err := filepath.Glob(filepath.Join(root, m[1], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(b), "\nfunc "+m[2]+"(t *testing.T)")
		}
		if named++; !found {
			missing = append(missing, m[0])
		}
	}
	return missing, named
}

// Every row of the findings has a test that is there, or says that it is open and why.
func TestEveryFindingHasItsTest(t *testing.T) {
	b, err := os.ReadFile("../../firmware-notes/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	missing, named := missingTests(t, "../..", string(b))
	if len(missing) > 0 || named < 50 {
		t.Errorf("of %d tests named there are not: %v", named, missing)
	}
	rows := 0
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| finding") {
			continue
		}
		if rows++; !namedTest.MatchString(line) && !strings.Contains(line, "| open: ") {
			t.Errorf("no test and no reason: %s", line)
		}
	}
	if rows < 45 {
		t.Errorf("%d rows", rows)
	}
	if missing, _ := missingTests(t, "../..", "`agent/policy TestThatIsNotThere`"); len(missing) != 1 {
		t.Error("the control: a test that is not there is not missed")
	}
}

// wrongReasons are the rows of the table of changed sentences, in a changelog, whose reason
// neither begins with a finding of a page nor is that of no finding. It returns the number
// of rows besides.
func wrongReasons(changelog, findings string) (wrong []string, rows int) {
	_, section, _ := strings.Cut(changelog, "### Changed: the sentences of `kerb explain`")
	section, _, _ = strings.Cut(section, "\n### ")
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 2 || !strings.HasPrefix(line, "| ") || cells[1] == "why |" || cells[1] == "|" {
			continue
		}
		rows++
		if finding, _, _ := strings.Cut(strings.TrimSuffix(cells[1], " |"), ": "); finding != "not a finding" && !strings.Contains(findings, "\n| "+finding) {
			wrong = append(wrong, line)
		}
	}
	return wrong, rows
}

// Each sentence of kerb explain that was changed has its reason in the changelog: a row of
// the findings, which has its test, or that it is none.
func TestEachChangedSentenceNamesItsFinding(t *testing.T) {
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	findings, err2 := os.ReadFile("../../firmware-notes/findings.md")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	wrong, rows := wrongReasons(string(changelog), string(findings))
	if len(wrong) > 0 || rows < 25 {
		t.Errorf("of %d rows these have no finding:\n%s", rows, strings.Join(wrong, ""))
	}
	other := strings.Replace(string(changelog), "| Masks: ", "| Hats: ", 1)
	if wrong, _ := wrongReasons(other, string(findings)); len(wrong) != 1 {
		t.Errorf("the control: a finding that is not there is missed in %d rows", len(wrong))
	}
}

// Every threat of a command for many devices has a test that is there.
func TestEveryThreatHasItsTest(t *testing.T) {
	b, err := os.ReadFile("../../firmware-notes/signing.md")
	if err != nil {
		t.Fatal(err)
	}
	missing, named := missingTests(t, "../..", string(b))
	if len(missing) > 0 || named < 15 {
		t.Errorf("of %d tests named there are not: %v", named, missing)
	}
}

// Each link of the notes and of README leads to a file.
func TestLinksOfTheNotesLeadToFiles(t *testing.T) {
	pages, err := filepath.Glob("../../firmware-notes/*.md")
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, page := range append(pages, "../../README.md") {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range localLink.FindAllStringSubmatch(string(b), -1) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	if links < 50 {
		t.Errorf("%d links", links)
	}
}
