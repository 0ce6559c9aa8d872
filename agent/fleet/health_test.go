package fleet

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// goodState is the state of a device without a problem, at the time of the tests.
const goodState = `{"online":true,"at":"2026-11-30T12:00:00Z","backlog":{"windows":2,"memory":0},"evicted":0,"clock":{"synced":true},
"store":{"health":"ok"},"agent":{"policy":{"trust":"two-person","version":3},"audit":{"seq":9,"sum":"aa"},
"config":{"site":"sha256:00","in_force":7,"version":7,"outcome":"kept"},"walls":{"uplink":{"hold":30,"open":[]}},
"sensors":{"north":{"watching":true}},"board":{"temperature_c":50}},"certificate":{"ends":"2027-06-01T00:00:00Z"}}`

var judgedAt = time.Date(2026, 11, 30, 12, 4, 0, 0, time.UTC)

// judgeText judges one device by the text of its state.
func judgeText(t *testing.T, text string, old head) *Health {
	t.Helper()
	s := new(state)
	if err := json.Unmarshal([]byte(text), s); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	d := &device{Address: "a/b/c", State: s, Meta: &meta{Version: "1.2.0"}}
	return judgeFleet([]*device{d}, map[string]head{"a/b/c": old}, nil, judgedAt)
}

func TestEachProblemIsFound(t *testing.T) {
	before := head{Seq: 8, Sum: "bb"}
	if h := judgeText(t, goodState, before); len(h.Problems) > 0 || h.Online != 1 || h.Sites["7"] != 1 || h.heads["a/b/c"].Seq != 9 {
		t.Fatalf("a good device: %+v", h)
	}
	found := map[string]bool{}
	for text, word := range map[string]string{
		`"online":true→"online":false,"why":"lost"`:                           "offline",
		`12:00:00Z→11:40:00Z`:                                                 "silent",
		`"evicted":0→"evicted":0,"twin":{"epoch":"x"}`:                        "twin",
		`"seq":9→"seq":7`:                                                     "audit_cut",
		`"seq":9,"sum":"aa"→"seq":8,"sum":"cc"`:                               "audit_cut",
		`"open":[]→"open":["read /etc/passwd"]`:                               "walls",
		`"version":3}→"version":3,"refused":"older"}`:                         "policy_refused",
		`"outcome":"kept"→"outcome":"refused","reason":"not_signed"`:          "files_refused",
		`"outcome":"kept"→"outcome":"reverted","reason":"no_delivery"`:        "files_reverted",
		`"evicted":0→"evicted":0,"denied":["count/kerb"]`:                     "denied",
		`"health":"ok"→"health":"memory","why":"no space"`:                    "spool",
		`"evicted":0→"evicted":4`:                                             "lost_windows",
		`"windows":2→"windows":200`:                                           "backlog",
		`"synced":true→"synced":false`:                                        "clock",
		`"watching":true→"watching":false`:                                    "camera",
		`"watching":true→"watching":true,"fault":"camera_dark"`:               "view",
		`2027-06-01→2026-12-03`:                                               "certificate",
		`"temperature_c":50→"temperature_c":50,"throttled":["under_voltage"]`: "board",
	} {
		old, changed, _ := strings.Cut(text, "→")
		if !strings.Contains(goodState, old) {
			t.Fatalf("%s is not in the state", old)
		}
		h := judgeText(t, strings.Replace(goodState, old, changed, 1), before)
		if len(h.Problems) != 1 || h.Problems[0].Word != word || h.Counts[word] != 1 {
			t.Errorf("%s: %+v, want %s", changed, h.Problems, word)
		}
		found[word] = true
	}
	for _, w := range problemWords {
		if !found[w.Word] && !slices.Contains(ledgerWords, w.Word) {
			t.Errorf("no test finds %s", w.Word)
		}
	}
}

func TestAHeadThatWasCutIsFoundAgainEachTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "heads.json")
	cut := strings.Replace(goodState, `"seq":9`, `"seq":3`, 1)
	h := judgeText(t, goodState, head{})
	for i := range 3 {
		if err := writeHeads(path, h.heads); err != nil {
			t.Fatal(err)
		}
		old, err := readHeads(path)
		if err != nil {
			t.Fatal(err)
		}
		if h = judgeText(t, cut, old["a/b/c"]); h.Counts["audit_cut"] != 1 {
			t.Fatalf("look %d: %+v", i+1, h.Problems)
		}
	}
}

func TestWhatADeviceTellsCannotTurnATerminal(t *testing.T) {
	text := strings.Replace(goodState, `"health":"ok"`, `"health":"memory","why":"\u001b[2J\u202etxt"`, 1)
	var out strings.Builder
	if err := judgeText(t, text, head{}).print(&out); err != nil || strings.ContainsAny(out.String(), "\x1b\u202e") || !strings.Contains(out.String(), "?[2J?txt") {
		t.Errorf("%v\n%q", err, out.String())
	}
	if !slices.Contains(bidirectional, 0x202e) {
		t.Error("U+202E is no bidirectional character")
	}
}

func TestThePageEscapesWhatADeviceTells(t *testing.T) {
	text := strings.Replace(goodState, `"health":"ok"`, `"health":"memory","why":"<script>"`, 1)
	path := filepath.Join(t.TempDir(), "fleet.html")
	if err := (&CheckCommand{HTML: path}).writePage(judgeText(t, text, head{})); err != nil {
		t.Fatal(err)
	}
	page := string(mustRead(t, path))
	if strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;") || !strings.Contains(page, "<td>spool") {
		t.Error(page)
	}
}
