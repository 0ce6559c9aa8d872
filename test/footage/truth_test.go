//go:build boxes

package footage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"kerb/agent/truth"
	"kerb/counting"
	"kerb/counting/neural"
	"kerb/counting/vision"
)

// TestTruth is make truth: it counts all clips with hand-made truth and prints, per clip
// and per cause, where the counts differ, and the sums of the stills. It holds no number: it serves changes of
// detection or following. The environment chooses
//
//	KERB_REPORT=1       also the sums of the reporting clips, which nothing is tuned on
//	KERB_DETECTORS=…    street-large,street,street-small,yolox,motion, PATH.kerb, PATH.kerb@SIDE; default street
//	KERB_RATES=…        pictures a second, 0 for all; default 0,8
//	KERB_LIST=1         every difference with its frame
//	KERB_BY=1           also by light, size and company (circumstances_test.go)
//	KERB_SORT=1         also a plain SORT tracker on the same boxes (sort_test.go)
//	KERB_CLIPS, KERB_BOXES   folders for the unpacked clips and the recorded boxes
func TestTruth(t *testing.T) {
	all := loadClips(t)
	for _, kind := range chosenKinds(t, "street") {
		if kind.eye != nil {
			person, vehicle, n := onStills(t, func(w, h int) *neural.Net { return kind.eye(t, w, h) })
			fmt.Printf("\n%s, %d stills: people off by %d, vehicles by %d\n", kind.name, n, person, vehicle)
		}
		for _, rate := range strings.Split(env("KERB_RATES", "0,8"), ",") {
			var every float64
			if _, err := fmt.Sscan(rate, &every); err != nil {
				t.Fatalf("KERB_RATES: %q: %v", rate, err)
			}
			reportOne(t, all, kind, every, false)
			if kind.eye != nil && os.Getenv("KERB_SORT") != "" {
				reportOne(t, all, kind, every, true)
			}
		}
	}
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// clipTruth is one clip with its truth.
type clipTruth struct {
	path, name string
	reporting  bool // nothing may be tuned on it
	truth      *truth.Truth
}

// clipResult is the outcome of one clip.
type clipResult struct {
	clip        *clipTruth
	report      truth.Report
	differences []truth.Difference
	boxes       recording // nil: motion alone
}

// loadClips finds the eight older clips and, unpacked, those of footage/more.
func loadClips(t *testing.T) (all []clipTruth) {
	t.Helper()
	dir := clips(t)
	seen := seenInTraining(t, filepath.Join(dir, "more", "seen-in-training.txt"))
	out := env("KERB_CLIPS", filepath.Join(os.TempDir(), "kerb-footage-more"))
	if b, err := exec.Command(filepath.Join(dir, "more", "unpack"), out).CombinedOutput(); err != nil {
		t.Fatalf("unpack the clips of footage/more: %v\n%s", err, b)
	}
	for _, d := range []string{dir, out} {
		paths, err := filepath.Glob(filepath.Join(d, "*.avi"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no clips in %s", d)
		}
		for _, p := range paths {
			tr, err := truth.Load(strings.TrimSuffix(p, ".avi") + ".truth.json")
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimSuffix(filepath.Base(p), ".avi")
			all = append(all, clipTruth{p, name, d == out && !seen[name], tr})
		}
	}
	return all
}

// seenInTraining reads the clips of which a training set holds pictures: these are for
// developing, the others of footage/more only for reporting.
func seenInTraining(t *testing.T, path string) map[string]bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if a := strings.Fields(s.Text()); len(a) > 0 {
			seen[a[len(a)-1]] = true
		}
	}
	return seen
}

// reportOne counts all clips with one detector at one rate and prints the tables.
func reportOne(t *testing.T, all []clipTruth, kind detectorKind, every float64, sorted bool) {
	t.Helper()
	results := make([]*clipResult, len(all))
	lone := 0.0 // where one rate is asked for, only its pictures are looked at
	if !strings.Contains(env("KERB_RATES", "0,8"), ",") {
		lone = every
	}
	work := make(chan int, len(all)) // so that a clip that fails blocks nothing
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range work {
				var f recording
				if kind.eye != nil {
					f = kind.boxesOf(t, all[i].path, all[i].keep(lone))
				}
				if sorted {
					results[i] = countSorted(t, &all[i], f, every)
				} else {
					results[i] = countBoxes(t, all[i].path, &all[i], f, every)
				}
			}
		})
	}
	for i := range all {
		if !all[i].reporting || os.Getenv("KERB_REPORT") != "" {
			work <- i
		}
	}
	close(work)
	wg.Wait()
	name := kind.name
	if sorted {
		name += " + plain SORT"
	}
	if every > 0 {
		name += fmt.Sprintf(" at %g pictures a second", every)
	}
	var developing, reporting []*clipResult
	for _, r := range results {
		switch {
		case r == nil:
		case r.clip.reporting:
			reporting = append(reporting, r)
		default:
			developing = append(developing, r)
		}
	}
	if os.Getenv("KERB_QUIET") == "" {
		printClips(name, developing)
	}
	printSums(name+", developing", developing)
	if len(reporting) > 0 {
		printSums(name+", reporting", reporting)
	}
	if os.Getenv("KERB_BY") != "" {
		printCircumstances(t, name, append(developing, reporting...))
	}
}

// countAll steps a counter to the end of its source.
func countAll(c *vision.Counter) (all []counting.Crossing, err error) {
	for {
		s, err := c.Step(context.Background())
		if errors.Is(err, io.EOF) {
			return append(all, c.Finish()...), nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s.Crossings...)
	}
}

// score compares crossings with the clip's truth. f tells what the detector saw.
func (c *clipTruth) score(crossings []counting.Crossing, f recording, w, h int) *clipResult {
	var saw func(l *truth.Line, x truth.Crossing) bool
	if f != nil {
		saw = func(l *truth.Line, x truth.Crossing) bool { return c.sawBothSides(f, l, x, w, h) }
	}
	return &clipResult{c, c.truth.ScoreCrossings(crossings, nil), c.truth.FindCauses(crossings, saw), f}
}

// Where and when a detection must be to have seen a crossing.
const (
	sawSeconds = 1.2 // before and after the crossing
	sawReach   = 1.5 // heights of the box from the line
	sawScore   = 0.3 // least score, that of a new track
	sawLooks   = 2   // pictures on either side
)

// sawBothSides reports whether there were detections of the class, or of any two-wheeler
// or person for a bicycle, before the line and after it. Another object near by may have
// been meant: it errs towards seen.
func (c *clipTruth) sawBothSides(f recording, l *truth.Line, x truth.Crossing, w, h int) bool {
	reach := int(sawSeconds * c.truth.Rate)
	s := l.ScaledTo(float64(w), float64(h))
	sides := [2]int{}
	for i := max(x.Frame-reach, 0); i <= min(x.Frame+reach, len(f)-1); i++ {
		hit := [2]bool{}
		for _, b := range vision.SuppressBoxes(f[i]) {
			class := b.Class.WithoutSplit()
			if b.Score < sawScore || class != x.Class && (class == counting.Vehicle) != (x.Class == counting.Vehicle) {
				continue
			}
			d, u := distanceTo(s, float64(b.X0+b.X1)/2, float64(b.Y1))
			if height := float64(b.Y1 - b.Y0); d > -sawReach*height && d < sawReach*height && u > -0.05 && u < 1.05 {
				hit[side(d)] = true
			}
		}
		for k := range sides {
			if hit[k] {
				sides[k]++
			}
		}
	}
	return sides[0] >= sawLooks && sides[1] >= sawLooks
}

func side(d float64) int {
	if d < 0 {
		return 0
	}
	return 1
}

// sums adds up one class over clips.
type sums struct{ truth, counted, matched, off int }

func (s *sums) add(e truth.ClassError) {
	s.truth += e.Truth
	s.counted += e.Matched + e.Extra
	s.matched += e.Matched
	s.off += e.AbsError
}

func (s sums) share() float64 { return 100 * float64(s.off) / float64(max(s.truth, 1)) }
func (s sums) f1() float64    { return 2 * float64(s.matched) / float64(max(s.truth+s.counted, 1)) }

// printClips prints a row for each clip and class with a difference.
func printClips(name string, results []*clipResult) {
	fmt.Printf("\n%s\n%-24s %-8s %5s %7s %7s %4s ", name, "clip", "class", "truth", "counted", "matched", "off")
	for c := range truth.Causes {
		fmt.Printf("  %s", c)
	}
	fmt.Println()
	for _, r := range results {
		for _, class := range counting.CoarseClasses() {
			var s sums
			s.add(r.report.Error[class.String()])
			by := causesOf(r, class)
			if s.off == 0 && by == [truth.Causes]int{} {
				continue
			}
			fmt.Printf("%-24s %-8s %5d %7d %7d %4d ", r.clip.name, class, s.truth, s.counted, s.matched, s.off)
			printCauses(by)
		}
		if os.Getenv("KERB_LIST") != "" {
			for _, d := range r.differences {
				as := ""
				if d.Cause == truth.WrongClass {
					as = " counted as " + d.Counted.String()
				}
				fmt.Printf("    f%-4d %-8s %-8s %s %s%s\n", d.Frame, d.Line, d.Class, d.Dir, d.Cause, as)
			}
		}
	}
}

func causesOf(r *clipResult, class counting.Class) (by [truth.Causes]int) {
	for _, d := range r.differences {
		if d.Class == class {
			by[d.Cause]++
		}
	}
	return by
}

func printCauses(by [truth.Causes]int) {
	for c := range truth.Causes {
		n := fmt.Sprint(by[c])
		if by[c] == 0 {
			n = "·"
		}
		fmt.Printf("  %*s", len(c.String()), n)
	}
	fmt.Println()
}

// printSums prints the sums of each class with 95 % intervals, by a bootstrap over clips.
func printSums(name string, results []*clipResult) {
	fmt.Printf("\n%s: %d clips\n%-8s %5s %7s %7s %4s  %-20s %-18s", name, len(results), "class", "truth", "counted", "matched", "off", "off, 95 %", "F1, 95 %")
	for c := range truth.Causes {
		fmt.Printf("  %s", c)
	}
	fmt.Println()
	for _, class := range counting.CoarseClasses() {
		var s sums
		var by [truth.Causes]int
		for _, r := range results {
			s.add(r.report.Error[class.String()])
			for c, n := range causesOf(r, class) {
				by[c] += n
			}
		}
		share, f1 := bootstrap(results, class)
		fmt.Printf("%-8s %5d %7d %7d %4d  %4.1f %% (%2.0f–%3.0f)     %.3f (%.2f–%.2f)  ", class, s.truth, s.counted, s.matched, s.off,
			s.share(), share[0], share[1], s.f1(), f1[0], f1[1])
		printCauses(by)
	}
}

// bootstrap returns 95 % intervals of the share that is off and of F1: the 2.5 and 97.5
// percentiles over two thousand draws of as many clips with replacement.
func bootstrap(results []*clipResult, class counting.Class) (share, f1 [2]float64) {
	const draws = 2000
	r := rand.New(rand.NewPCG(1, 2))
	var a, b []float64
	for range draws {
		var s sums
		for range results {
			s.add(results[r.IntN(len(results))].report.Error[class.String()])
		}
		a, b = append(a, s.share()), append(b, s.f1())
	}
	slices.Sort(a)
	slices.Sort(b)
	return [2]float64{a[draws/40], a[draws-draws/40]}, [2]float64{b[draws/40], b[draws-draws/40]}
}
