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

func key(e store.Entry) string { return fmt.Sprintf("%s %s %d", e.Epoch, e.Release.Stream(), e.Seq) }

// model is what a spool should be: a list. Everything that a spool ever gave
// is in ever, so that a number given twice shows even after a crash.
type model struct {
	t       *rapid.T
	dir     string
	files   int
	s       *store.Store
	windows []*modelled
	ever    map[string]bool
	next    int
	mendIt  func() // nil while the disk is well
}

func (m *model) path() string { return filepath.Join(m.dir, fmt.Sprint(m.files)) }

func (m *model) open() {
	s, err := store.Open(m.path(), store.Ring(1<<20), store.Now(storetest.Begin.UTC))
	if err != nil {
		m.t.Fatal(err)
	}
	m.s = s
}

// settle says that the account of the moment is on the disk, if it is.
func (m *model) settle() {
	if m.s.Stats().Fault != nil {
		return
	}
	for _, w := range m.windows {
		w.onDisk, w.ackedOnDisk = true, w.acked
	}
}

func (m *model) append() {
	streams := rapid.SliceOfNDistinct(rapid.SampledFrom(storetest.Streams(4)), 1, 4, rapid.ID).Draw(m.t, "streams")
	es, err := m.s.Append(storetest.Windows(streams, m.next))
	if err != nil {
		m.t.Fatal(err)
	}
	m.next++
	for _, e := range es {
		before := e
		before.Seq--
		if m.ever[key(e)] || e.Seq == 0 || e.Seq > 1 && !m.ever[key(before)] {
			m.t.Fatalf("%s given twice, or with a hole before it", key(e))
		}
		m.ever[key(e)] = true
		m.windows = append(m.windows, &modelled{Entry: e})
	}
	m.settle()
}

func (m *model) ack() {
	var es []store.Entry
	for _, w := range m.windows {
		if !w.acked && rapid.IntRange(0, 2).Draw(m.t, "ack") == 0 {
			w.acked = true
			es = append(es, w.Entry)
		}
	}
	if err := m.s.Ack(es); err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) resend() {
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
		m.t.Fatalf("resend %s to %d: %+v, want %d; %v", key(w.Entry), to, a, n, err)
	}
}

func (m *model) restart() {
	m.mend() // or memory would be lost, which crash is for
	if err := m.s.Close(); err != nil {
		m.t.Fatal(err)
	}
	for _, w := range m.windows {
		w.onDisk, w.ackedOnDisk = true, w.acked
	}
	m.open()
}

// crash goes on with the file as it is, and forgets what only memory knew.
func (m *model) crash() {
	m.mend()
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
	m.open()
}

func (m *model) smash() {
	if m.mendIt == nil {
		m.mendIt = breakDisk(m.t, m.path())
	}
}

func (m *model) mend() {
	if m.mendIt != nil {
		m.mendIt()
		m.mendIt = nil
	}
}

// agrees compares the spool with the model.
func (m *model) agrees(t *rapid.T) {
	var want []store.Entry
	for _, w := range m.windows {
		if !w.acked {
			want = append(want, w.Entry)
		}
	}
	got, err := m.s.Pending(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	byKey := func(a, b store.Entry) int { return slices.Compare([]byte(key(a)), []byte(key(b))) }
	slices.SortFunc(want, byKey)
	slices.SortFunc(got, byKey)
	if !slices.EqualFunc(got, want, func(a, b store.Entry) bool { return key(a) == key(b) && a.Release == b.Release }) {
		t.Fatalf("%d windows pending, want %d", len(got), len(want))
	}
	n := 0
	if err := m.s.Each(func(store.Item) error { n++; return nil }); err != nil || n != len(m.windows) {
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
		m.open()
		defer func() {
			m.mend()
			m.s.Close()
		}()
		do := func(f func()) func(*rapid.T) { return func(t *rapid.T) { m.t = t; f() } }
		rt.Repeat(map[string]func(*rapid.T){
			"append": do(m.append), "append more": do(m.append), "ack": do(m.ack), "resend": do(m.resend),
			"restart": do(m.restart), "crash": do(m.crash), "smash": do(m.smash), "mend": do(m.mend), "": m.agrees,
		})
	})
	t.Logf("%d sequences", runs)
}
