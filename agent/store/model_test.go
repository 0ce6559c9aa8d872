package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// modelled is one window as the model knows it.
type modelled struct {
	store.Entry
	acked, ackedOnDisk, onDisk bool
}

func entryKey(e store.Entry) string {
	return fmt.Sprintf("%s %s %d", e.Epoch, e.Release.Stream(), e.Seq)
}

// model is the expected content of a spool, as a list. ever holds every number
// that was given, so that a number given twice is detected even after a crash.
type model struct {
	t       *rapid.T
	dir     string
	files   int
	s       *store.Store
	windows []*modelled
	ever    map[string]bool
	next    int
	repair  func() // nil while the disk is well
}

func (m *model) path() string { return filepath.Join(m.dir, fmt.Sprint(m.files)) }

func (m *model) openStore() {
	s, err := store.Open(m.path(), store.MaxInMemory(1<<20), store.WallClock(storetest.FirstStart.UTC))
	if err != nil {
		m.t.Fatal(err)
	}
	m.s = s
}

// markDurable records that the account is on the disk now, unless there is a
// fault.
func (m *model) markDurable() {
	if m.s.Stats().Fault != nil {
		return
	}
	for _, w := range m.windows {
		w.onDisk, w.ackedOnDisk = true, w.acked
	}
}

func (m *model) appendWindow() {
	streams := rapid.SliceOfNDistinct(rapid.SampledFrom(storetest.StreamNames(4)), 1, 4, rapid.ID).Draw(m.t, "streams")
	es, err := m.s.Append(storetest.MakeWindows(streams, m.next))
	if err != nil {
		m.t.Fatal(err)
	}
	m.next++
	for _, e := range es {
		before := e
		before.Seq--
		if m.ever[entryKey(e)] || e.Seq == 0 || e.Seq > 1 && !m.ever[entryKey(before)] {
			m.t.Fatalf("%s given twice, or with a hole before it", entryKey(e))
		}
		m.ever[entryKey(e)] = true
		m.windows = append(m.windows, &modelled{Entry: e})
	}
	m.markDurable()
}

func (m *model) ackSome() {
	var es []store.Entry
	for _, w := range m.windows {
		if !w.acked && rapid.IntRange(0, 2).Draw(m.t, "ack") == 0 {
			w.acked = true
			es = append(es, w.Entry)
		}
	}
	if err := m.s.AckWindows(es); err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) resendSome() {
	if len(m.windows) == 0 {
		return
	}
	w := rapid.SampledFrom(m.windows).Draw(m.t, "resend")
	to := w.Seq + rapid.Uint64Range(0, 5).Draw(m.t, "more")
	n := uint64(0)
	for _, o := range m.windows {
		if o.Epoch == w.Epoch && o.Release.Stream() == w.Release.Stream() && w.Seq <= o.Seq && o.Seq <= to {
			o.acked = false
			n++
		}
	}
	a, err := m.s.Resend(w.Epoch, w.Release.Stream(), w.Seq, to)
	if err != nil || a.Resend != n || a.Gone != nil {
		m.t.Fatalf("resend %s to %d: %+v, want %d; %v", entryKey(w.Entry), to, a, n, err)
	}
}

func (m *model) restart() {
	m.repairFile() // or memory would be lost, which crash is for
	if err := m.s.Close(); err != nil {
		m.t.Fatal(err)
	}
	for _, w := range m.windows {
		w.onDisk, w.ackedOnDisk = true, w.acked
	}
	m.openStore()
}

// crash goes on with the file as it is, and forgets what only memory knew.
func (m *model) crash() {
	m.repairFile()
	b, err := os.ReadFile(m.path())
	if err != nil {
		m.t.Fatal(err)
	}
	m.files++
	if err := os.WriteFile(m.path(), b, 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := m.s.Close(); err != nil {
		m.t.Fatal(err)
	}
	m.windows = slices.DeleteFunc(m.windows, func(w *modelled) bool { return !w.onDisk })
	for _, w := range m.windows {
		w.acked = w.ackedOnDisk
	}
	m.openStore()
}

func (m *model) breakFile() {
	if m.repair == nil {
		m.repair = breakDisk(m.t, m.path())
	}
}

func (m *model) repairFile() {
	if m.repair != nil {
		m.repair()
		m.repair = nil
	}
}

// checkAgainst compares the spool with the model.
func (m *model) checkAgainst(t *rapid.T) {
	var want []store.Entry
	for _, w := range m.windows {
		if !w.acked {
			want = append(want, w.Entry)
		}
	}
	got, err := m.s.PendingWindows(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	byKey := func(a, b store.Entry) int { return slices.Compare([]byte(entryKey(a)), []byte(entryKey(b))) }
	slices.SortFunc(want, byKey)
	slices.SortFunc(got, byKey)
	if !slices.EqualFunc(got, want, func(a, b store.Entry) bool { return entryKey(a) == entryKey(b) && a.Release == b.Release }) {
		t.Fatalf("%d windows pending, want %d", len(got), len(want))
	}
	n := 0
	if err := m.s.EachWindow(func(store.Item) error { n++; return nil }); err != nil || n != len(m.windows) {
		t.Fatalf("%d windows stored, want %d; %v", n, len(m.windows), err)
	}
}

func TestTheSpoolIsWhatTheModelSays(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "kerb-model-") // what fsync does is for other tests
	if err != nil {
		dir = t.TempDir()
	}
	defer os.RemoveAll(dir)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		m := &model{t: rt, dir: filepath.Join(dir, fmt.Sprint(runs)), ever: map[string]bool{}}
		if err := os.Mkdir(m.dir, 0o700); err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(m.dir)
		m.openStore()
		defer func() {
			m.repairFile()
			m.s.Close()
		}()
		do := func(f func()) func(*rapid.T) { return func(t *rapid.T) { m.t = t; f() } }
		rt.Repeat(map[string]func(*rapid.T){
			"append": do(m.appendWindow), "append more": do(m.appendWindow), "ack": do(m.ackSome), "resend": do(m.resendSome),
			"restart": do(m.restart), "crash": do(m.crash), "smash": do(m.breakFile), "mend": do(m.repairFile), "": m.checkAgainst,
		})
	})
	t.Logf("%d sequences", runs)
}
