package store_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// fleet is a few state directories that are restarted, killed, restored from
// copies, cloned, deleted and mixed up at random. Every window that a spool numbers
// is taken to be sent at once.
type fleet struct {
	t      *testing.T
	rnd    *rand.Rand
	dir    string
	sent   map[string]string // "device epoch stream seq" → the window as stored
	places []*lineage
	copies []snapshot
	window int
	starts map[string]int // by reason
}

// lineage is a state directory with the numbers that it has given.
type lineage struct {
	place
	s     *store.Store
	card  uint64          // stands for the times of change on the card: only a new image brings old ones back
	given map[string]bool // keys without the device, as far as the witness can know them
	known bool            // the last end was an orderly one, and spool and witness were not deleted
}

// snapshot is a copy of a state directory.
type snapshot struct {
	dir  string
	card uint64
}

func (f *fleet) newDir() string {
	f.t.Helper()
	dir, err := os.MkdirTemp(f.dir, "")
	if err != nil {
		f.t.Fatal(err)
	}
	return dir
}

// check compares a window with the one sent under the same number.
func (f *fleet) check(p *lineage, e store.Entry) (key string) {
	b, err := e.Release.MarshalBinary()
	if err != nil {
		f.t.Fatal(err)
	}
	key = fmt.Sprintf("%s %s %d", e.Epoch, e.Release.Stream(), e.Seq)
	// Devices of one name share a number space on the wire, clones as well.
	if sent, ok := f.sent[p.device+" "+key]; ok && sent != string(b) {
		f.t.Fatalf("%s %s is given twice", p.device, key)
	}
	f.sent[p.device+" "+key] = string(b)
	return key
}

// checkNotes compares the events with those that had the same epoch and number. They
// are taken to be sent at once, as a window is.
func (f *fleet) checkNotes(p *lineage) {
	for _, n := range p.s.PendingNotes() {
		key, text := fmt.Sprintf("%s event %s %d", p.device, n.Epoch, n.N), n.Kind
		if b, err := json.Marshal(n.Data); err == nil {
			text += string(b)
		}
		if sent, ok := f.sent[key]; ok && sent != text {
			f.t.Fatalf("%s is given twice: %s, then %s", key, sent, text)
		}
		f.sent[key] = text
	}
}

// open opens the spool, checks its windows, and checks that every number that was
// given is in the file or told as lost.
func (f *fleet) open(p *lineage) {
	identify := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			return ""
		}
		return fmt.Sprintf("%d %x", p.card, sha256.Sum256(b))
	}
	s, err := store.Open(p.spool(), append(p.opts(), store.IdentifyWith(identify))...)
	if err != nil {
		f.t.Fatal(err)
	}
	p.s = s
	start := s.Start()
	f.starts[start.Reason]++
	there := map[string]bool{}
	if err := s.EachWindow(func(i store.Item) error { there[f.check(p, i.Entry)] = true; return nil }); err != nil {
		f.t.Fatal(err)
	}
	for _, b := range start.Lost {
		for n := b.From; n <= b.To; n++ {
			key := fmt.Sprintf("%s %s %d", b.Epoch, b.Stream, n)
			if there[key] {
				f.t.Fatalf("%s is told as lost and is there, at a start %q", key, start.Reason)
			}
			delete(p.given, key)
		}
	}
	for key := range p.given {
		if there[key] {
			continue
		}
		if p.known {
			f.t.Fatalf("%s is neither in the file nor told as lost: %+v", key, start)
		}
		delete(p.given, key)
	}
	p.known = true
	f.checkNotes(p)
	if f.rnd.IntN(3) == 0 {
		s.AddNote("test", map[string]any{"of": fmt.Sprint(f.rnd.Uint64())})
		f.checkNotes(p)
	}
}

func (f *fleet) append(p *lineage) {
	for range 1 + f.rnd.IntN(3) {
		f.window++
		es, err := p.s.Append(storetest.MakeWindows(storetest.StreamNames(1+f.rnd.IntN(2)), f.window))
		if err != nil {
			f.t.Fatal(err)
		}
		for _, e := range es {
			p.given[f.check(p, e)] = true
		}
		if f.rnd.IntN(2) == 0 {
			if err := p.s.AckWindows(es); err != nil {
				f.t.Fatal(err)
			}
		}
	}
}

// take copies the directory.
func (f *fleet) take(p *lineage) {
	c := snapshot{f.newDir(), p.card}
	copyDir(f.t, p.dir, c.dir)
	f.copies = append(f.copies, c)
}

// step restarts one spool, and does something to it while it is closed.
func (f *fleet) step() {
	p := f.places[f.rnd.IntN(len(f.places))]
	f.append(p)
	if f.rnd.IntN(4) == 0 {
		f.take(p)
	}
	end := p.s.Close
	if f.rnd.IntN(3) == 0 {
		end, p.known = p.s.Kill, false
	}
	if err := end(); err != nil {
		f.t.Fatal(err)
	}
	f.meddle(p)
	if f.rnd.IntN(3) == 0 {
		p.boot = fmt.Sprint("boot-", f.rnd.Uint64())
	}
	f.open(p)
	if f.rnd.IntN(3) == 0 { // before anything was written
		if err := p.s.Kill(); err != nil {
			f.t.Fatal(err)
		}
		p.known = false
		f.open(p)
	}
	f.append(p)
}

// meddle does to a closed spool what happens to cards.
func (f *fleet) meddle(p *lineage) {
	image := p.card
	p.card = f.rnd.Uint64()
	switch f.rnd.IntN(11) {
	case 0:
		p.card = image
		f.take(p)
	case 1: // an old spool under the present witness
		if c := f.anyCopy(); c != nil {
			copyFile(f.t, filepath.Join(c.dir, "spool.db"), p.spool())
		}
	case 10: // a new image of the whole card, with the times on it: the board must boot for that
		if c := f.anyCopy(); c != nil {
			copyDir(f.t, c.dir, p.dir)
			p.card, p.boot, p.known, p.given = c.card, fmt.Sprint("boot-", f.rnd.Uint64()), false, map[string]bool{}
		}
	case 2: // the whole directory of some time ago, or of another device
		if c := f.anyCopy(); c != nil {
			copyDir(f.t, c.dir, p.dir)
			p.given, p.known = map[string]bool{}, false // of another device, or of a live copy: not all can be known
		}
	case 3:
		os.Remove(p.spool())
	case 4:
		os.Remove(p.spool() + ".witness")
		p.known = false
	case 5: // the card goes into another board, or is cloned
		p.machine = fmt.Sprint("m", f.rnd.IntN(4))
	case 6: // two devices change their cards
		q := f.places[f.rnd.IntN(len(f.places))]
		if q != p {
			f.swapCards(p, q)
		}
	default:
		p.card = image
	}
}

// anyCopy returns a random copy, nil if there is none.
func (f *fleet) anyCopy() *snapshot {
	if len(f.copies) == 0 {
		return nil
	}
	return &f.copies[f.rnd.IntN(len(f.copies))]
}

// swapCards exchanges the files of p, which is closed, and q.
func (f *fleet) swapCards(p, q *lineage) {
	if err := q.s.Close(); err != nil {
		f.t.Fatal(err)
	}
	between := f.newDir()
	copyDir(f.t, p.dir, between)
	copyDir(f.t, q.dir, p.dir)
	copyDir(f.t, between, q.dir)
	p.known, q.known, q.card = false, false, f.rnd.Uint64()
	p.given, q.given = map[string]bool{}, map[string]bool{}
	f.open(q)
}

// The promise of DESIGN §5: no (device, epoch, stream, seq) has two different
// contents, whatever happens to the files. KERB_LONG makes 5,000 restarts.
func TestNoNumberIsGivenTwiceWhateverHappensToTheCards(t *testing.T) {
	base, rounds := memoryDir(t), 10
	if os.Getenv("KERB_LONG") != "" {
		rounds = 100
	}
	starts, sent := map[string]int{}, 0
	for seed := range uint64(rounds) {
		f := &fleet{t: t, rnd: rand.New(rand.NewPCG(seed, 18)), dir: filepath.Join(base, fmt.Sprint(seed)), sent: map[string]string{}, starts: starts}
		if err := os.Mkdir(f.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range 4 { // two pairs of twins
			p := &lineage{place: place{f.newDir(), "boot-1", fmt.Sprint("m", i), fmt.Sprint("pi-", i/2)}, given: map[string]bool{}}
			f.places = append(f.places, p)
			f.open(p)
		}
		for range 50 {
			f.step()
		}
		for _, p := range f.places {
			if err := p.s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		sent += len(f.sent)
		if err := os.RemoveAll(f.dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, reason := range []string{"", "boot", "deleted", "foreign", "machine_changed", "restored", "touched", "unclean_end", "unknown_end"} {
		if starts[reason] == 0 {
			t.Errorf("no start %q: the test shows less than it says", reason)
		}
	}
	t.Logf("%d numbers, starts %v", sent, starts)
}
