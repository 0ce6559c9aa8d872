package fleet

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// goodLedger is the ledger of the device of goodState without a problem: one window of 192
// is away, three came with pauses, a made-up stream lacks half, and the drift is over.
const goodLedger = `{"schema":"kerb.ledger/1","at":"2026-11-30T12:00:00Z","streams":[
{"tenant":"a","site":"b","device":"c","stream":"road","day":"2026-11-28","due":96,"received":1,"gaps":{"loop_card":9}},
{"tenant":"a","site":"b","device":"c","stream":"road","day":"2026-11-29","due":96,"received":96,"parts":1,"gaps":{"camera_lost":7,"sense_lost":1},"partial":{"stalled":2}},
{"tenant":"a","site":"b","device":"c","stream":"road","day":"2026-11-30","due":48,"received":48,"partial":{"stalled":1}},
{"tenant":"a","site":"b","device":"c","stream":"drawn","day":"2026-11-30","made_up":true,"due":48,"received":24},
{"tenant":"a","site":"b","device":"other","stream":"road","day":"2026-11-30","due":48,"received":0}],
"events":[{"tenant":"a","site":"b","device":"c","kind":"aim","received":"2026-11-28T12:00:00Z","data":{"act":"start"}},
{"tenant":"a","site":"b","device":"c","kind":"config_refused","received":"2026-11-30T11:00:00Z","data":{"mistakes":["site.toml:3: x"]}},
{"tenant":"a","site":"b","device":"c","kind":"streams_drift","received":"2026-11-20T12:00:00Z","data":{"a":"l1","b":"l2","drifted":false}}]}`

// judgeWithLedger judges the device of goodState with a ledger in a file.
func judgeWithLedger(t *testing.T, stateText, ledgerText string) *Health {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.json")
	if err := os.WriteFile(path, []byte(ledgerText), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := readLedger(path, judgedAt)
	if err != nil {
		t.Fatal(err)
	}
	s := new(state)
	if err := json.Unmarshal([]byte(stateText), s); err != nil {
		t.Fatal(err)
	}
	return judgeFleet([]*device{{Address: "a/b/c", State: s, Meta: &meta{Version: "1.2.0"}}}, nil, l, judgedAt)
}

// Each word that needs a ledger is found by one change of a good one, and by no other word.
func TestEachProblemOfWindowsAndEventsIsFound(t *testing.T) {
	if h := judgeWithLedger(t, goodState, goodLedger); len(h.Problems) > 0 || len(h.Unjudged) > 0 {
		t.Fatalf("a good device: %+v", h)
	}
	found := map[string]bool{}
	for text, word := range map[string]string{
		`"day":"2026-11-30","due":48,"received":48→"day":"2026-11-30","due":48,"received":47`: "incomplete",
		`"gaps":{"camera_lost":7,→"gaps":{"loop_chatter":1,`:                                  "loop",
		`"partial":{"stalled":1}→"partial":{"key_frames":2}`:                                  "slow",
		`"sense_lost":1→"sense_lost":1,"unknown":1`:                                           "program",
		`"drifted":false→"drifted":true`:                                                      "drift",
		`"2026-11-30T11:00:00Z"→"2026-11-30T12:01:00Z"`:                                       "config_refused",
		`"received":"2026-11-28T12:00:00Z"→"received":"2026-11-30T02:00:00Z"`:                 "aim",
		`"due":48,"received":48,→"due":48,"received":48,"clashes":2,`:                         "twin",
	} {
		old, changed, _ := strings.Cut(text, "→")
		if strings.Count(goodLedger, old) != 1 {
			t.Fatalf("%s is not once in the ledger", old)
		}
		h := judgeWithLedger(t, goodState, strings.Replace(goodLedger, old, changed, 1))
		if len(h.Problems) != 1 || h.Problems[0].Word != word || h.Counts[word] != 1 {
			t.Errorf("%s: %+v, want %s", changed, h.Problems, word)
		}
		found[word] = true
	}
	for _, word := range ledgerWords {
		if !found[word] || !slices.Contains(ProblemWords(), word) {
			t.Errorf("no test finds %s, or it is no word of problems", word)
		}
	}
}

// A device that does not run has mistakes in its files until it is online again.
func TestRefusedFilesAreToldWhileTheDeviceIsAway(t *testing.T) {
	away := strings.Replace(goodState, `"online":true`, `"online":false,"why":"stopped"`, 1)
	if h := judgeWithLedger(t, away, goodLedger); h.Counts["config_refused"] != 1 || h.Counts["offline"] != 1 || !slices.ContainsFunc(h.Problems, func(p Problem) bool { return strings.Contains(p.Text, "site.toml:3: x") }) {
		t.Errorf("%+v", h.Problems)
	}
}

// Without a ledger the words that need one are named as not judged, in text and JSON.
func TestWordsThatNeedALedgerAreNamedWithoutOne(t *testing.T) {
	h := judgeText(t, goodState, head{})
	var out strings.Builder
	b, err := json.Marshal(h)
	if h.print(&out) != nil || err != nil || !strings.Contains(out.String(), "not judged without -ledger: incomplete, loop, slow,") || !strings.Contains(string(b), `"not_judged":["incomplete",`) {
		t.Errorf("%s\n%s", out.String(), b)
	}
	for _, word := range ledgerWords {
		if !strings.Contains(CheckCommand{}.Help(), "\n"+word+": ") {
			t.Errorf("the help has no %s", word)
		}
	}
	if strings.Count(CheckCommand{}.Help(), " With -ledger.") != len(ledgerWords) {
		t.Error("the help does not say which words need a ledger")
	}
}

// A ledger that is old, or is none, is refused: it would hide what happened since.
func TestAnOldLedgerIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.json")
	for text, want := range map[string]string{goodLedger: "make it anew", "{": "unexpected end"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if l, err := readLedger(path, judgedAt.Add(25*time.Hour)); l != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := readLedger(t.TempDir(), judgedAt); err == nil || !strings.Contains(err.Error(), "no kerb relay has run") {
		t.Errorf("an empty folder: %v", err)
	}
}

// Each word of problems has a row in the notes.
func TestTheNotesHaveEachProblem(t *testing.T) {
	text := string(mustRead(t, "../../firmware-notes/fleet.md"))
	for _, w := range problemWords {
		if !strings.Contains(text, "\n| `"+w.Word+"` |") {
			t.Errorf("fleet.md has no row for %s: | `%[1]s` | %s |", w.Word, w.Meaning)
		}
	}
}
