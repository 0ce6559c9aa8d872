package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func openLog(t testing.TB, dir string) *Log {
	t.Helper()
	l, err := Open(dir, func() (time.Time, bool) { return noon, true })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
	return l
}

// writeLog writes a log of n entries, closes it, and returns its directory.
func writeLog(t testing.TB, n int) (dir string, head Head) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "audit")
	l := openLog(t, dir)
	for i := range n {
		if err := l.Append("policy_admitted", map[string]any{"version": i + 1, "why": "<a> & \u2028 “b”"}); err != nil {
			t.Fatal(err)
		}
	}
	head = l.Head()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, head
}

func verifyLog(t testing.TB, dir string) (Report, int, error) {
	t.Helper()
	n := 0
	r, err := VerifyLog(dir, func(Entry) error { n++; return nil })
	return r, n, err
}

func TestALogHoldsWhatWasWritten(t *testing.T) {
	dir, head := writeLog(t, 3)
	r, n, err := verifyLog(t, dir)
	if err != nil || n != 3 || r.First != 1 || r.Head != head || r.UnfinishedError() != nil || head.Seq != 3 {
		t.Fatalf("%+v, %d entries, %v", r, n, err)
	}
	sum, err := FindSum(dir, 3)
	if err != nil || sum != head.Sum {
		t.Errorf("entry 3: %s %v", sum, err)
	}
	if _, err := FindSum(dir, 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("entry 4: %v", err)
	}
	l := openLog(t, dir)
	if l.Head() != head {
		t.Errorf("reopened at %v", l.Head())
	}
	if err := l.Append("stop", nil); err != nil || l.Head().Seq != 4 {
		t.Errorf("%v, %v", err, l.Head())
	}
}

// The control: an unchanged log is valid, and a change of any byte is detected.
func TestEveryFlippedByteIsFound(t *testing.T) {
	dir, head := writeLog(t, 4)
	path := filepath.Join(dir, "0000000001.log")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for _, bit := range []byte{1, 0x20, 0x80} {
			bad := bytes.Clone(good)
			bad[i] ^= bit
			var v verifier
			err := v.checkFile(path, bad, true, func(Entry) error { return nil })
			if err == nil && v.report.UnfinishedError() == nil {
				t.Fatalf("byte %d (%q) is another, and verify does not see it: %v", i, good[i], v.report)
			}
			var b *ChainBreak
			if line := 1 + bytes.Count(good[:i], []byte("\n")); errors.As(err, &b) && b.Line != line && b.Line != line+1 {
				t.Fatalf("byte %d lies in line %d, but the break is said to be in %d", i, line, b.Line)
			}
		}
	}
	if r, _, err := verifyLog(t, dir); err != nil || r.Head != head {
		t.Errorf("the untouched log: %v %v", r, err)
	}
}

func TestWhatALineCannotTellTheChainDoes(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(lines []string) []string
		want string
	}{
		{"a line taken out", func(l []string) []string { return append(l[:1:1], l[2:]...) }, "entry 3 follows entry 1"},
		{"two lines swapped", func(l []string) []string { return []string{l[0], l[2], l[1], l[3]} }, "entry 3 follows entry 1"},
		{"a line twice", func(l []string) []string { return []string{l[0], l[0], l[1]} }, "entry 1 follows entry 1"},
		{"a line written anew", func(l []string) []string {
			e, err := parseLine([]byte(l[1]))
			if err != nil {
				panic(err)
			}
			e.Kind = "nothing"
			b, _, err := e.encodeLine()
			if err != nil {
				panic(err)
			}
			return []string{l[0], string(b), l[2]}
		}, "entry 3: it does not follow"},
	} {
		dir, _ := writeLog(t, 4)
		path := filepath.Join(dir, "0000000001.log")
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := c.do(strings.Split(strings.TrimSpace(string(good)), "\n"))
		if err := os.WriteFile(path, []byte(strings.Join(bad, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := verifyLog(t, dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Only a head that was stored earlier shows that the end is missing.
func TestAShortenedLogHasAnotherHead(t *testing.T) {
	dir, head := writeLog(t, 4)
	path := filepath.Join(dir, "0000000001.log")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut := bytes.LastIndexByte(good[:len(good)-1], '\n') + 1
	if err := os.Truncate(path, int64(cut)); err != nil {
		t.Fatal(err)
	}
	if r, _, err := verifyLog(t, dir); err != nil || r.Head == head {
		t.Errorf("%v %v", r, err)
	}
	if _, err := FindSum(dir, head.Seq); err == nil {
		t.Error("the lost entry is found")
	}
}

func TestALineThatAPowerCutToreIsCutOffAndSaid(t *testing.T) {
	dir, head := writeLog(t, 3)
	path := filepath.Join(dir, "0000000001.log")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	next := bytes.LastIndexByte(good[:len(good)-1], '\n') + 1
	line := good[next:]
	for cut := 1; cut <= len(line)+7; cut += 7 {
		torn := append(bytes.Clone(good), line[:min(cut, len(line)-1)]...)
		if cut >= len(line) { // blocks that were allotted but never written
			torn = append(append(bytes.Clone(good), make([]byte, cut)...), '\n')
		}
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(dir, func() (time.Time, bool) { return noon, false })
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(l.Append("start", nil), l.Close())
		r, n, verr := verifyLog(t, dir)
		if err := errors.Join(err, verr, r.UnfinishedError()); err != nil || n != 5 || r.Head.Seq != head.Seq+2 {
			t.Fatalf("%d bytes of a line: %v, %d entries, %v", cut, r, n, err)
		}
		b, _ := os.ReadFile(path)
		if !bytes.Contains(b, []byte(`"kind":"repaired"`)) || !bytes.HasPrefix(b, good) {
			t.Fatalf("%d bytes of a line: not said\n%s", cut, b)
		}
	}
}

// Damage in the middle is not from a power cut: it is kept, and the log continues
// behind it.
func TestDamageInTheMiddleIsNeverRepaired(t *testing.T) {
	dir, head := writeLog(t, 3)
	path := filepath.Join(dir, "0000000001.log")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[bytes.IndexByte(data, '\n')+20] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, dir)
	if err := l.Append("start", nil); err != nil || l.Head().Seq != head.Seq+1 {
		t.Fatalf("%v %v", l.Head(), err)
	}
	var b *ChainBreak
	if _, _, err := verifyLog(t, dir); !errors.As(err, &b) || b.Seq != 2 || b.Line != 2 {
		t.Errorf("%v", err)
	}
}

func TestTheLogIsBoundedAndItsChainGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := openLog(t, dir)
	l.limit = 1 << 10
	for i := range 100 {
		if i == 50 { // a power cut in the midst of turning
			if err := l.rotateFile(51); err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = openLog(t, dir)
			l.limit = 1 << 10
		}
		if err := l.Append("start", map[string]int{"i": i}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := LogFiles(dir)
	if err != nil || len(files) != keptFiles {
		t.Fatalf("%d files, %v", len(files), err)
	}
	r, n, err := verifyLog(t, dir)
	if err != nil || r.Head.Seq != 100 || r.First == 1 || n != int(101-r.First) {
		t.Errorf("%+v, %d entries, %v", r, n, err)
	}
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := verifyLog(t, dir); err == nil {
		t.Error("a file is missing, and verify does not see it")
	}
}

func TestALogHasOneWriter(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	if _, err := Open(dir, l.now); !errors.Is(err, ErrInUse) {
		t.Errorf("a second writer: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	openLog(t, dir)
}

// An incomplete line that a full disk left must not lie in front of the next one.
func TestAfterAFaultTheNextEntryStandsWhereItBelongs(t *testing.T) {
	dir, _ := writeLog(t, 1)
	l := openLog(t, dir)
	good := l.file
	path := good.Name()
	var err error
	if l.file, err = os.Open(path); err != nil { // for reading only: a write fails
		t.Fatal(err)
	}
	if l.Append("start", nil) == nil {
		t.Fatal("a write to a file that is open for reading only succeeds")
	}
	l.file.Close()
	l.file = good
	if _, err := good.WriteAt([]byte(`{"seq":2,`), l.size); err != nil {
		t.Fatal(err)
	}
	if err := l.Append("stop", nil); err != nil {
		t.Fatal(err)
	}
	if r, n, err := verifyLog(t, dir); err != nil || n != 2 || r.UnfinishedBytes != 0 {
		t.Errorf("%v, %d entries, %v", r, n, err)
	}
}

func TestWhatIsNoEntryIsNotWritten(t *testing.T) {
	l := openLog(t, t.TempDir())
	for _, kind := range []string{"", "Start", "a-b", "a b", strings.Repeat("a", 33)} {
		if l.Append(kind, nil) == nil {
			t.Errorf("kind %q", kind)
		}
	}
	if l.Append("start", func() {}) == nil || l.Append("start", strings.Repeat("a", maxLine)) == nil {
		t.Error("data that cannot be written was")
	}
	if l.Head() != (Head{}) {
		t.Errorf("%v", l.Head())
	}
}

func TestALogThatIsNotThereIsAnError(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	if _, _, err := verifyLog(t, none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if files, err := LogFiles(none); err != nil || len(files) != 0 {
		t.Errorf("%v %v", files, err)
	}
}

// FuzzVerify: any file is read without a panic; a log that is valid has the reported
// length, continues at its head, and is valid again.
func FuzzVerify(f *testing.F) {
	dir, _ := writeLog(f, 3)
	good, err := os.ReadFile(filepath.Join(dir, "0000000001.log"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-9])
	f.Add([]byte("{}\n\n"))
	f.Add(fmt.Appendf(nil, `{"seq":1,"at":"2026-11-23T12:00:00Z","synced":true,"kind":"a","prev":"%s","sum":"%s"}`+"\n", genesis, genesis))
	f.Fuzz(func(t *testing.T, data []byte) {
		verify := func(data []byte) (r Report, n int, err error) {
			var v verifier
			err = v.checkFile("0000000001.log", data, true, func(Entry) error { n++; return nil })
			return v.report, n, err
		}
		before, n, err := verify(data)
		// These are the steps of Open.
		var l Log
		data = data[:wholeLength(data)]
		l.advanceHead(data)
		e := Entry{Seq: l.head.Seq + 1, At: noon, Kind: "start", Prev: cmp.Or(l.head.Sum, genesis)}
		line, sum, lerr := e.encodeLine()
		if lerr != nil {
			t.Fatal(lerr)
		}
		after, m, aerr := verify(append(append(bytes.Clone(data), line...), '\n'))
		if err == nil && (aerr != nil || m != n+1 || l.head != before.Head || after.Head != Head{e.Seq, sum}) {
			t.Fatalf("%v, then %v: %v", before, after, aerr)
		}
	})
}
