package vocabulary

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// platforms.md sorts every word by what a platform shall do, in tables of its own section. Each
// word is in one row of its list, and nothing else is: a row that is left over tells of a
// word that no device sends.
func TestThePageForPlatformsNamesEveryWord(t *testing.T) {
	page, err := os.ReadFile("../../firmware-notes/platforms.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range findWordFaults(string(page)) {
		t.Error(fault)
	}
}

// The control: a word less, a word too many, and a word in the row of another action.
func TestAWordThatThePageForPlatformsLacksIsFound(t *testing.T) {
	page, err := os.ReadFile("../../firmware-notes/platforms.md")
	if err != nil {
		t.Fatal(err)
	}
	for old, change := range map[string]string{
		"`ended`, ":             "",
		"`twin` |":              "`twins` |",
		"`memory`, ":            "",
		"`boot`, ":              "",
		"`open_trust`, ":        "",
		"`starting`, `stopped`": "`starting`, `stopped`, `loop_card`",
	} {
		changed := strings.Replace(string(page), old, change, 1)
		if changed == string(page) {
			t.Errorf("the page has no %q", old)
		}
		if len(findWordFaults(changed)) == 0 {
			t.Errorf("%q became %q, and it was not found", old, change)
		}
	}
	moved := strings.NewReplacer("`camera_moved` |", "`camera_moved`, `loop_pair` |", "`loop_pair`, ", "").Replace(string(page))
	if len(findWordFaults(moved)) == 0 {
		t.Error("loop_pair stood beside words of another action, and it was not found")
	}
}

// The events that the ledger of the relay keeps are words of the vocabulary.
func TestThePageOfTheRelayNamesEventsThatThereAre(t *testing.T) {
	page, err := os.ReadFile("../../firmware-notes/relay.md")
	if err != nil {
		t.Fatal(err)
	}
	kept := regexp.MustCompile("(?s)`events` of `-json` has the last (.*?) of each device").FindStringSubmatch(string(page))
	if kept == nil {
		t.Fatal("relay.md does not say which events the ledger has")
	}
	words := regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(kept[1], -1)
	for _, w := range words {
		if !slices.ContainsFunc(Events(), func(e Event) bool { return e.Kind == w[1] }) {
			t.Errorf("relay.md names the event %s, which there is not", w[1])
		}
	}
	if len(words) == 0 {
		t.Error("relay.md names no event")
	}
}

// findWordFaults tells what the section of platforms.md lacks or has too much.
func findWordFaults(page string) (faults []string) {
	_, section, _ := strings.Cut(page, "## Every word, by what to do\n")
	section, _, _ = strings.Cut(section, "\n## ")
	named := map[string][]string{}
	rowOf := map[string]string{}
	list := ""
	for line := range strings.SplitSeq(section, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || strings.HasPrefix(line, "|---") {
			continue
		}
		switch first := strings.TrimSpace(cells[1]); {
		case first == "`reason` of a window":
			list = "reasons"
		case first == "`kind` of an event":
			list = "events"
		case first == "`reason` of":
			list = "others"
		case list == "others":
			of := regexp.MustCompile("`([a-z_]+)`").FindStringSubmatch(first)
			if of != nil {
				named[of[1]] = append(named[of[1]], quotedWords(cells[2])...)
			}
		default:
			words := quotedWords(first)
			named[list] = append(named[list], words...)
			for _, w := range words {
				rowOf[list+"."+w] = line
			}
		}
	}
	var events []Word
	for _, e := range Events() {
		events = append(events, Word{Word: e.Kind})
	}
	for name, list := range map[string][]Word{"reasons": Reasons(), "events": events, "evicted": LossReasons(), "epoch": EpochReasons(), "want": WantReasons()} {
		if got, want := slices.Sorted(slices.Values(named[name])), wordsOf(list); !slices.Equal(got, want) {
			faults = append(faults, fmt.Sprintf("platforms.md, %s: it names %v, want each of %v once", name, got, want))
		}
	}
	return append(faults, findSplitActions(rowOf)...)
}

// findSplitActions tells which reasons stand in one row although they share no action, and which share one and do not.
// Only the actions of several reasons are compared: rows of the others may hold several.
func findSplitActions(rowOf map[string]string) (faults []string) {
	rows, actions := map[string]string{}, map[string]string{}
	for _, w := range Reasons() {
		row := rowOf["reasons."+w.Word]
		if !slices.Contains([]string{none, visit, lookNow, doubt, observed}, w.Action) && w.Word != "loop_card" {
			continue
		}
		action := w.Action
		if w.Word == "loop_card" {
			action = lookNow // its own action is longer, and ends in the same
		}
		if old, ok := rows[action]; ok && old != row {
			faults = append(faults, fmt.Sprintf("platforms.md: %s has the action %q, and stands in another row than others of it", w.Word, action))
		}
		if old, ok := actions[row]; ok && old != action {
			faults = append(faults, fmt.Sprintf("platforms.md: %s stands in the row of %q, and its action is %q", w.Word, old, action))
		}
		rows[action], actions[row] = row, action
	}
	return faults
}

// quotedWords returns the words between backquotes.
func quotedWords(text string) (words []string) {
	for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(text, -1) {
		words = append(words, m[1])
	}
	return words
}
