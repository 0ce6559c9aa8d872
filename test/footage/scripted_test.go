//go:build boxes

package footage

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kerb/counting"
	"kerb/counting/vision"
	"kerb/drivers/camera/scene"
)

// TestScripted is make scripted: it counts each script on each street with each of
// KERB_DETECTORS (default: street-large) and prints a table. KERB_SCRIPTS=crawl,buses chooses
// the scripts whose names begin so, KERB_STREETS=2 the first so many streets, KERB_LIST=1 prints
// each crossing. Boxes are recorded in
// KERB_BOXES, as TestTruth does.
func TestScripted(t *testing.T) {
	streets := len(scriptSeeds)
	if n := os.Getenv("KERB_STREETS"); n != "" {
		if _, err := fmt.Sscan(n, &streets); err != nil || streets < 1 || streets > len(scriptSeeds) {
			t.Fatalf("KERB_STREETS: %q: must be 1–%d", n, len(scriptSeeds))
		}
	}
	for _, kind := range chosenKinds(t, "street-large") {
		rows := map[string][]scripted{}
		var lock sync.Mutex
		var wg sync.WaitGroup
		type job struct{ script, street int }
		work := make(chan job, len(scripts)*len(scriptSeeds))
		for range 2 {
			wg.Go(func() {
				for j := range work {
					sc := &scripts[j.script]
					r := kind.countScripted(t, sc, j.street)
					lock.Lock()
					if rows[sc.name] == nil {
						rows[sc.name] = make([]scripted, streets)
					}
					rows[sc.name][j.street] = r
					lock.Unlock()
				}
			})
		}
		for i := range scripts {
			for k := range streets {
				if isChosen(scripts[i].name) {
					work <- job{i, k}
				}
			}
		}
		close(work)
		wg.Wait()
		printScripted(kind.name, streets, rows)
	}
}

// isChosen reports whether KERB_SCRIPTS names a script, or is not set.
func isChosen(name string) bool {
	return slices.ContainsFunc(strings.Split(os.Getenv("KERB_SCRIPTS"), ","), func(s string) bool { return strings.HasPrefix(name, s) })
}

// countScripted counts a script on a street with recorded boxes, or by motion alone.
func (d detectorKind) countScripted(t *testing.T, sc *script, street int) scripted {
	if d.eye == nil {
		r, _ := d.playScript(t, sc, street, nil)
		return r
	}
	var r *scripted
	f := d.cached(t, fmt.Sprintf("script_%x_%d", sc.name, scriptSeeds[street]), 1, func() recording {
		first, f := d.playScript(t, sc, street, nil)
		r = &first
		return f
	})
	if r == nil {
		again, _ := d.playScript(t, sc, street, f)
		r = &again
	}
	return *r
}

// playScript counts a script on a street with boxes f, or with those that the network finds,
// which it returns.
func (d detectorKind) playScript(t *testing.T, sc *script, street int, f recording) (scripted, recording) {
	s := sc.open(t, street)
	defer s.Close()
	var c *vision.Counter
	var err error
	switch {
	case d.eye == nil:
		c, err = vision.New(s, sc.opts(s))
	case f != nil:
		i := -1
		c, err = vision.NewFromBoxes(s, sc.opts(s), func() []vision.Box { i++; return f[i] })
	default:
		w, h := s.Size()
		net := d.eye(t, w, h)
		defer net.Close()
		finder, failed := vision.NewBoxFinder(net, w, h)
		if failed != nil {
			t.Error(failed)
			return scripted{}, nil
		}
		shown := &shown{Source: s}
		c, err = vision.NewFromBoxes(shown, sc.opts(s), func() []vision.Box {
			f = append(f, finder.FindBoxes(shown.picture, w, h))
			return f[len(f)-1]
		})
	}
	if err != nil {
		t.Error(err)
		return scripted{}, nil
	}
	defer c.Close()
	crossings, err := countAll(c)
	if err != nil {
		t.Error(err)
	}
	if os.Getenv("KERB_LIST") != "" {
		listScripted(sc, street, s, crossings)
	}
	return sc.score(s, crossings), f
}

// shown keeps a copy of a source's latest picture.
type shown struct {
	vision.Source
	picture []byte
}

func (s *shown) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	at, err := s.Source.ReadInto(ctx, dst)
	s.picture = append(s.picture[:0], dst...)
	return at, err
}

// listScripted prints the true and the counted crossings of a street.
func listScripted(sc *script, street int, s *scene.Scene, crossings []counting.Crossing) {
	var b strings.Builder
	fmt.Fprintf(&b, "    %s, street %d, true:", sc.name, scriptSeeds[street])
	for _, e := range s.Truth() {
		fmt.Fprintf(&b, " %.1f s %s %s %s;", float64(e.Frame)/scriptRate, e.Stream, e.Class.WithoutSplit(), e.Dir)
	}
	fmt.Fprint(&b, "\n      counted:")
	for _, x := range crossings {
		fmt.Fprintf(&b, " %.1f s %s %s %s;", x.At.Seconds(), x.Stream, x.Class, x.Dir)
	}
	fmt.Println(b.String())
}

// printScripted prints a row for each script: truth and counts over all streets, the sum of
// the differences, and truth and counts of each street.
func printScripted(name string, streets int, rows map[string][]scripted) {
	fmt.Printf("\n%s, %d streets\n%-34s %5s %7s %4s %6s  %s\n", name, streets, "script", "truth", "counted", "off", "", "each street")
	for _, sc := range scripts {
		var all scripted
		var each []string
		for _, r := range rows[sc.name] {
			all.truth, all.counted, all.off = all.truth+r.truth, all.counted+r.counted, all.off+r.off
			each = append(each, fmt.Sprintf("%d/%d", r.counted, r.truth))
		}
		if each == nil {
			continue
		}
		mark := ""
		if all.off*10 > all.objects(len(each), &sc) {
			mark = "  *"
		}
		fmt.Printf("%-34s %5d %7d %4d %4.0f %%  %s%s\n", sc.name, all.truth, all.counted, all.off, 100*float64(all.off)/float64(all.objects(len(each), &sc)), strings.Join(each, " "), mark)
	}
}

// objects is what the differences are a share of: the true crossings or, where there are
// none or they need not be counted, four objects a street.
func (r scripted) objects(streets int, sc *script) int {
	if sc.returns || r.truth == 0 {
		return 4 * streets
	}
	return r.truth
}
