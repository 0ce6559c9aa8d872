package store_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// countWindows is a store.Derive that counts the windows of each stream, and tells
// every fifth.
func countWindows(facts store.Facts, es []store.Entry) (events []store.Event) {
	for _, e := range es {
		n, name := 0, e.Release.Stream()
		_ = json.Unmarshal(facts[name], &n)
		n++
		facts[name] = json.RawMessage(fmt.Sprint(n))
		if n%5 == 0 {
			events = append(events, store.Event{Kind: "five", Data: map[string]any{"stream": name, "n": n}})
		}
	}
	return events
}

func countFives(s *store.Store) (n int) {
	for _, note := range s.PendingNotes() {
		if note.Kind == "five" {
			n++
		}
	}
	return n
}

// TestFactsAreWrittenWithTheirWindows: also where the file cannot be written for a while,
// and where the process ends without Close.
func TestFactsAreWrittenWithTheirWindows(t *testing.T) {
	path, names := filepath.Join(t.TempDir(), "spool"), storetest.StreamNames(2)
	s := openStore(t, path, store.DeriveWith(countWindows))
	appendWindows(t, s, names, 0, 3)
	mend := breakDisk(t, path)
	appendWindows(t, s, names, 3, 6)
	if s.Fault() == nil {
		t.Fatal("the control failed: the disk is not broken")
	}
	mend()
	waitRecovered(t, s)
	appendWindows(t, s, names, 6, 9)
	s = reopenStore(t, s, path, store.DeriveWith(countWindows))
	_, facts := s.Latest(nil)
	if got := string(facts["stream-0"]) + " " + string(facts["stream-1"]); got != "9 9" || countFives(s) != 2 {
		t.Errorf("facts %s, %d events, want 9 9 and 2", got, countFives(s))
	}
}

func TestTheLatestWindowOfAStreamIsFoundAgain(t *testing.T) {
	path, names := filepath.Join(t.TempDir(), "spool"), storetest.StreamNames(2)
	s := openStore(t, path)
	if got, _ := s.Latest(names); len(got) != 0 {
		t.Errorf("an empty spool has %v", got)
	}
	all := appendWindows(t, s, names, 0, 4)
	more := appendWindows(t, s, names[:1], 4, 6)
	for range 2 { // before and after a restart
		got, _ := s.Latest(append(names, "unknown"))
		if len(got) != 2 || got["stream-0"].Order() != more[1].Order() || got["stream-1"].Order() != all[7].Order() {
			t.Errorf("%v", got)
		}
		s = reopenStore(t, s, path)
	}
	s.SetShown(names)
	s = reopenStore(t, s, path)
	if !slices.Equal(s.Shown(), names) {
		t.Errorf("shown %v", s.Shown())
	}
}
