package store_test

import (
	"math"
	"path/filepath"
	"testing"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// Pages give every stored window once and in order, and the last windows are the end
// of that list, also while windows are added.
func TestPagesGiveEveryWindowOnce(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "spool.db"))
	streams := storetest.StreamNames(2)
	want := appendWindows(t, s, streams, 0, 25)
	if err := s.AckWindows(want[:7]); err != nil {
		t.Fatal(err)
	}
	var got []store.Item
	for place := uint64(0); ; {
		page, last, err := s.PageAfter(place, 8)
		if err != nil || len(page) > 8 {
			t.Fatalf("%d windows, %v", len(page), err)
		}
		if len(page) == 0 {
			if last != place {
				t.Errorf("an empty page moves from %d to %d", place, last)
			}
			break
		}
		if len(got) == 8 {
			want = append(want, appendWindows(t, s, streams, 25, 26)...)
		}
		got, place = append(got, page...), last
	}
	if len(got) != len(want) {
		t.Fatalf("%d windows, want %d", len(got), len(want))
	}
	for i, g := range got {
		if g.Seq != want[i].Seq || g.Release.Stream() != want[i].Release.Stream() || g.Pending != (i >= 7) {
			t.Errorf("window %d is %s %d, pending %v", i, g.Release.Stream(), g.Seq, g.Pending)
		}
	}
	back := 0
	for place := uint64(math.MaxUint64); ; back++ {
		page, first, err := s.PageBefore(place, 7)
		if err != nil || len(page) > 7 {
			t.Fatalf("%d windows, %v", len(page), err)
		}
		if len(page) == 0 {
			break
		}
		for i, g := range page {
			if want := got[len(got)-1-back*7-i]; g.Order() != want.Order() || g.Pending != want.Pending {
				t.Fatalf("page %d from the end: window %d has place %d, want %d", back, i, g.Order(), want.Order())
			}
		}
		place = first
	}
	if back != (len(got)+6)/7 {
		t.Errorf("%d pages from the end", back)
	}
	for _, n := range []int{0, 1, 5, len(want), len(want) + 9} {
		last, err := s.LastWindows(n)
		tail := got[len(got)-min(n, len(got)):]
		if err != nil || len(last) != len(tail) {
			t.Fatalf("the last %d are %d, %v", n, len(last), err)
		}
		for i := range last {
			if last[i].Order() != tail[i].Order() {
				t.Errorf("the last %d: window %d has place %d, want %d", n, i, last[i].Order(), tail[i].Order())
			}
		}
	}
}
