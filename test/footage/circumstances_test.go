//go:build boxes

package footage

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kerb/agent/truth"
	"kerb/counting"
	"kerb/counting/vision"
)

// lights are the kinds of light that the table tells apart. A clip is of the first whose
// words its description has; the older clips are all by day.
var lights = []struct {
	name  string
	words []string
}{
	{"wet", []string{"wet"}},
	{"night", []string{"night"}},
	{"dusk", []string{"dusk", "dawn"}},
	{"glare", []string{"glare", "low sun"}},
	{"day", []string{""}},
}

// lightOf is the index in lights of a clip with such a description.
func lightOf(description string) int {
	return slices.IndexFunc(lights, func(l struct {
		name  string
		words []string
	},
	) bool {
		return slices.ContainsFunc(l.words, func(w string) bool { return strings.Contains(description, w) })
	})
}

// readLights reads the column "light" of the table of clips in a README: by the clip's name
// without the name of its source.
func readLights(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	light := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if a := strings.Split(s.Text(), "|"); len(a) > 3 {
			light[strings.TrimSpace(a[1])] = a[2]
		}
	}
	return light
}

// Where a crossing is of a small object, and where of one in a group.
const (
	smallHeight  = 32  // pixels of the clip: less is small
	groupSeconds = 1.5 // to the next crossing of the line by one of the same kind
)

// cell counts true crossings and those of them that were counted.
type cell struct{ truth, paired int }

// circumstances counts crossings by light, size and company: [light][small, large][alone, group].
type circumstances struct {
	cells [5][2][2]cell
	extra [5]int // counted crossings of which the truth has none
}

// printCircumstances prints, for each class, how many of the true crossings were counted
// in each light, of small and large objects, alone and in groups.
func printCircumstances(t *testing.T, name string, results []*clipResult) {
	light := readLights(t, filepath.Join(clips(t), "more", "README.md"))
	by := map[counting.Class]*circumstances{}
	for _, c := range counting.CoarseClasses() {
		by[c] = &circumstances{}
	}
	for _, r := range results {
		r.addCircumstances(by, lightOf(light[strings.TrimPrefix(r.clip.name, "jamcam_")]))
	}
	fmt.Printf("\n%s: crossings counted, of the true ones, and extra ones; small: under %d pixels\n", name, smallHeight)
	fmt.Println("| class | light | small, alone | small, group | large, alone | large, group | extra |\n|---|---|---|---|---|---|---|")
	for _, class := range counting.CoarseClasses() {
		for i, l := range lights {
			fmt.Printf("| %s | %s |", class, l.name)
			for size := range 2 {
				for company := range 2 {
					n := by[class].cells[i][size][company]
					fmt.Printf(" %s |", n)
				}
			}
			fmt.Printf(" %d |\n", by[class].extra[i])
		}
	}
}

func (c cell) String() string {
	if c.truth == 0 {
		return "–"
	}
	return fmt.Sprintf("%d of %d", c.paired, c.truth)
}

// addCircumstances adds the crossings of a clip. The detector's boxes tell how high the
// objects at each line are; without boxes all are large.
func (r *clipResult) addCircumstances(by map[counting.Class]*circumstances, light int) {
	lost := map[truth.Difference]bool{}
	for _, d := range r.differences {
		if d.Cause == truth.Double || d.Cause == truth.Extra {
			by[d.Class].extra[light]++
		}
		lost[truth.Difference{Line: d.Line, Class: d.Class, Dir: d.Dir, Frame: d.Frame}] = true
	}
	for i := range r.clip.truth.Lines {
		l := &r.clip.truth.Lines[i]
		for j, x := range l.Crossings {
			if x.Marginal {
				continue
			}
			size := 1
			if h := r.clip.heightAt(r.boxes, l, x.Class); h > 0 && h < smallHeight {
				size = 0
			}
			c := &by[x.Class].cells[light][size][company(l.Crossings, j, r.clip.truth.Rate)]
			c.truth++
			if !lost[truth.Difference{Line: l.ID, Class: x.Class, Dir: x.Dir, Frame: x.Frame}] {
				c.paired++
			}
		}
	}
}

// company is 1 if another of the same kind crosses the line at about the time of crossing
// j, and 0 otherwise. People and cyclists are one kind.
func company(all []truth.Crossing, j int, rate float64) int {
	for i, o := range all {
		apart := float64(o.Frame-all[j].Frame) / rate
		if i != j && apart >= -groupSeconds && apart <= groupSeconds && (o.Class == counting.Vehicle) == (all[j].Class == counting.Vehicle) {
			return 1
		}
	}
	return 0
}

// heightAt is the median height in pixels of the boxes of a class whose ground points are
// near a line; 0 if there are none.
func (c *clipTruth) heightAt(f recording, l *truth.Line, class counting.Class) float64 {
	s := l.ScaledTo(float64(c.truth.Width), float64(c.truth.Height))
	var heights []float64
	for _, boxes := range f {
		for _, b := range vision.SuppressBoxes(boxes) {
			h := float64(b.Y1 - b.Y0)
			d, u := distanceTo(s, float64(b.X0+b.X1)/2, float64(b.Y1))
			if b.Score >= sawScore && b.Class.WithoutSplit() == class && d > -sawReach*h && d < sawReach*h && u > -0.05 && u < 1.05 {
				heights = append(heights, h)
			}
		}
	}
	if len(heights) == 0 {
		return 0
	}
	slices.Sort(heights)
	return heights[len(heights)/2]
}
