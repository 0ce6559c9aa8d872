package powercut

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kerb/agent/store"
	"kerb/agent/store/storetest"
)

// recordLoad runs the load under strace.
func recordLoad(t *testing.T) []syscallOp {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace: install the package strace")
	}
	dir, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	cmd := exec.Command(strace, append(straceArgs(log), os.Args[0])...)
	cmd.Env = append(os.Environ(), loadDir+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ops, err := parseTrace(f, dir)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, o := range ops {
		count[o.kind]++
	}
	t.Logf("recorded %v", count)
	if count["rename"] == 0 || count["syncdir"] == 0 || count["mark"] < 100 {
		t.Fatal("the load did not compact, or did not mark")
	}
	return ops
}

// checkSyncsPerWindow counts syncs, because a card wears by synced pages: two
// for each window (bbolt syncs the pages, then the meta page), one more when
// the file grows. Acknowledgements, expiry, tombstones and notes travel with
// the windows.
func checkSyncsPerWindow(t *testing.T, ops []syscallOp) {
	windows, pages, syncs := 0, 0, 0
	want := -1 // syncs of this commit; -1: the file is made or copied
	for _, o := range ops {
		switch o.kind {
		case "create", "rename":
			want = -1
		case "truncate":
			want++ // a file that doubles its length is synced once more
		case "write":
			pages += (len(o.data) + 4095) / 4096
		case "sync":
			syncs++
		case "mark":
			if o.data[0] != 'A' {
				continue
			}
			if want < 0 {
				pages = 0
			} else {
				if windows++; syncs != want {
					t.Errorf("%d syncs for window %d, want %d", syncs, windows, want)
				}
				if windows == 50 {
					t.Logf("%.1f pages a window of 4 streams: %d MB a day at one a minute",
						float64(pages)/50, pages*4096*1440/50/1e6)
					return
				}
			}
			want, syncs = 2, 0 // bbolt's commit: the pages, then the meta page
		}
	}
	t.Error("the record is too short")
}

// windowAccount sums up the marks up to some point of the record.
type windowAccount struct {
	accepted map[string]string // window → digest
	released map[string]bool
	all      map[string]string // of the whole record: a window may be on disk before its mark
	next     map[string]int    // epoch/stream → highest number taken
}

// readMarks adds marks: "S window" for one that may be released, and "A window
// digest" for one that was accepted.
func (a *windowAccount) readMarks(marks []byte) {
	for l := range strings.Lines(string(marks)) {
		f := strings.Fields(l)
		if f[0] == "S" {
			a.released[f[1]] = true
			continue
		}
		a.accepted[f[1]] = f[2]
		i := strings.LastIndexByte(f[1], '/')
		n := 0
		fmt.Sscan(f[1][i+1:], &n)
		a.next[f[1][:i]] = max(a.next[f[1][:i]], n)
	}
}

func newWindowAccount() *windowAccount {
	return &windowAccount{map[string]string{}, map[string]bool{}, nil, map[string]int{}}
}

// replayWithCuts cuts the power n times and returns the faults found
// afterwards. lazy ignores syncs of files.
func replayWithCuts(t *testing.T, ops []syscallOp, n int, lazy bool) (faults []string) {
	rnd := rand.New(rand.NewPCG(11, uint64(n)))
	whole := newWindowAccount()
	for _, o := range ops {
		if o.kind == "mark" {
			whole.readMarks(o.data)
		}
	}
	cuts := make([]int, n)
	for i := range cuts {
		cuts[i] = rnd.IntN(len(ops) + 1)
	}
	slices.Sort(cuts)
	d, a, done := newDisk(lazy), newWindowAccount(), 0
	a.all = whole.accepted
	for _, cut := range cuts {
		for ; done < cut; done++ {
			if o := ops[done]; o.kind == "mark" {
				a.readMarks(o.data)
			} else {
				d.applyOp(o)
			}
		}
		if fault := a.auditSpool(t, d.cutPower(rnd)); fault != "" {
			faults = append(faults, fmt.Sprintf("after %d of %d: %s", done, len(ops), fault))
		}
	}
	return faults
}

// auditSpool opens the spool on the files left by a cut and returns the first
// fault, or "".
func (a *windowAccount) auditSpool(t *testing.T, left map[string][]byte) string {
	dir, err := os.MkdirTemp("/dev/shm", "kerb-powercut-")
	if err != nil {
		dir = t.TempDir()
	}
	defer os.RemoveAll(dir)
	for name, b := range left {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Time{} // so that no window expires
	s, err := store.Open(filepath.Join(dir, "spool"), spoolOptions(&now)...)
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	if s.Start().Reason == "damaged" {
		return fmt.Sprint("damaged: ", s.PendingNotes()[0].Data["why"])
	}
	if err := s.CheckFile(); err != nil {
		return err.Error()
	}
	has := map[string]bool{}
	fault := ""
	err = s.EachWindow(func(i store.Item) error {
		has[entryName(i.Entry)] = true
		if want := a.all[entryName(i.Entry)]; want != "" && want != fmt.Sprintf("%x", entryDigest(i.Entry)) {
			fault = entryName(i.Entry) + " is another window"
		}
		return nil
	})
	if err != nil || fault != "" {
		return fmt.Sprint(fault, err)
	}
	for w := range a.accepted {
		if !has[w] && !a.released[w] {
			return w + " is lost"
		}
	}
	es, err := s.Append(storetest.MakeWindows(storetest.StreamNames(4), 1<<20))
	if err != nil {
		return err.Error()
	}
	for _, e := range es {
		if last := a.next[e.Epoch+"/"+e.Release.Stream()]; e.Seq <= uint64(last) {
			return entryName(e) + " is given twice"
		}
	}
	return ""
}

func TestSpoolOnDisk(t *testing.T) {
	ops := recordLoad(t)
	t.Run("is synced once a window", func(t *testing.T) { checkSyncsPerWindow(t, ops) })
	t.Run("loses no window wherever the power is cut", func(t *testing.T) { checkCutsLoseNoWindow(t, ops) })
}

// checkCutsLoseNoWindow replays hundreds of cuts, and as a control the same
// with a disk that ignores syncs, which must show faults.
func checkCutsLoseNoWindow(t *testing.T, ops []syscallOp) {
	cuts := 300
	if os.Getenv("KERB_LONG") != "" {
		cuts = 10000
	}
	if faults := replayWithCuts(t, ops, cuts, false); faults != nil {
		t.Errorf("%d faults in %d cuts, the first: %s", len(faults), cuts, strings.Join(faults[:min(len(faults), 5)], "\n"))
	} else {
		t.Logf("%d cuts: no window lost, no file damaged", cuts)
	}
	// The control: the same disk, but deaf to syncs of files, as with NoSync.
	n := cuts / 10
	faults := replayWithCuts(t, ops, n, true)
	t.Logf("without syncs: %d faults in %d cuts", len(faults), n)
	if len(faults) < n/20 {
		t.Error("a disk that syncs nothing passes: the method shows nothing")
	}
}
