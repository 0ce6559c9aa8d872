package uplink

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
	"kerb/counting"
)

func TestEveryFormatGivesTheSameBytesAndTopicsWithoutWildcards(t *testing.T) {
	a := Address{Tenant: "acme", Site: "north", Device: "pi-0a1b"}
	for _, f := range formats() {
		name := fmt.Sprintf("%T", f)
		live, late := f.Topic(a, "north-kerb", false), f.Topic(a, "north-kerb", true)
		if live == late {
			t.Errorf("%s: live and late windows share the topic %s", name, live)
		}
		for level := range strings.SplitSeq(live+"/"+late, "/") {
			if !isTopicLevel(level) {
				t.Errorf("%s: level %q in %s or %s", name, level, live, late)
			}
		}
		for _, e := range everyWindow(t) {
			first, again := f.Append(nil, a, e), f.Append([]byte("before"), a, e)
			if !bytes.Equal(again, append([]byte("before"), first...)) {
				t.Fatalf("%s: %s, then %s", name, first, again)
			}
		}
	}
}

func TestTheLengthOfAWindowSaysNothingAboutTheStreet(t *testing.T) {
	a := Address{Tenant: "acme", Site: "north", Device: "pi-0a1b"}
	for _, f := range formats() {
		if err := checkLengths(f, a, everyWindow(t)); err != nil {
			t.Errorf("%T: %v", f, err)
		}
	}
	// The control: a format that writes the reason of a count is found.
	if checkLengths(talkative{}, a, everyWindow(t)) == nil {
		t.Error("a format whose length depends on the counts passes")
	}
}

// checkLengths compares the lengths of observed windows of one policy and kind.
func checkLengths(f Format, a Address, windows []store.Entry) error {
	for i := range windows { // neither depends on the counts
		windows[i].Part, windows[i].Relabelled = 0, false
	}
	lengths := map[string]int{}
	for _, e := range windows {
		if e.Release.Quality() == counting.Gap {
			continue
		}
		e.Synced = true
		key, n := fmt.Sprint(e.Release.Policy(), e.Release.Kind(), e.Release.Still()), len(f.Append(nil, a, e))
		if was, ok := lengths[key]; ok && was != n {
			return fmt.Errorf("windows of %d and %d bytes", was, n)
		}
		lengths[key] = n
	}
	return nil
}

// talkative is kerb/v1 without its padding.
type talkative struct{ lines }

func (talkative) Append(b []byte, _ Address, e store.Entry) []byte {
	return bytes.TrimRight(bytes.ReplaceAll(kerbV1{}.Append(b, Address{}, e), []byte(" "), nil), " ")
}

// lines is a second format, as small as one can be: a line a window.
type lines struct{}

func (lines) Topic(a Address, stream string, late bool) string {
	return fmt.Sprintf("lines/%s/%s/%v", a.Device, stream, late)
}

func (lines) Append(b []byte, _ Address, e store.Entry) []byte {
	return fmt.Appendf(b, "%s %d", e.Release.Stream(), e.Seq)
}

func (lines) Frame(late bool) Frame {
	if late {
		return Frame{Open: "# late\n", Between: "\n", Close: "\n"}
	}
	return Frame{Close: "\n"}
}

func TestAnotherFormatChangesTopicsAndBytesOfWindowsOnly(t *testing.T) {
	streams := storetest.StreamNames(1)
	u := uplinkWithBacklog(t, streams, 3)
	u.o.Format = lines{}
	appendWindows(t, u, streams, 3, 4)
	u.o.Store.AddNote("clock_step", nil)
	now := storetest.FirstStart
	var got []string
	for _, m := range drainAll(t, newScheduler(u, u.o.Store.Stats(), now), &now) {
		text := string(m.payload)
		if m.note != nil {
			text = "event"
		}
		got = append(got, m.topic+" "+text)
	}
	want := []string{
		"lines/pi-0a1b/stream-0/false stream-0 4\n",
		"kerb/v1/acme/north/pi-0a1b/event event",
		"lines/pi-0a1b/stream-0/true # late\nstream-0 1\nstream-0 2\nstream-0 3\n",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := u.o.Store.Stats().Pending; n != 0 {
		t.Errorf("%d windows pending", n)
	}
}
