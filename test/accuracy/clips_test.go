package accuracy

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"kerb/agent/policy"
	"kerb/agent/truth"
	"kerb/counting"
)

// truths are the clips' files, as people counted them.
func truths(t *testing.T) []string {
	t.Helper()
	tried := []string{os.Getenv("KERB_SHARED")}
	for dir, _ := filepath.Abs("."); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		tried = append(tried, filepath.Join(dir, "shared"))
	}
	for _, dir := range tried {
		if paths, _ := filepath.Glob(filepath.Join(dir, "footage", "*.truth.json")); dir != "" && len(paths) > 0 {
			return paths
		}
	}
	t.Skip("no clips: neither KERB_SHARED nor a parent folder has shared/footage")
	return nil
}

// draws is how often a clip is cleared to know the mean error. A device
// clears a window once.
const draws = 400

// Each clip is one window: what people counted, and what would be told of it.
func TestWhatAClipCosts(t *testing.T) {
	b := newTable("clip", "line", "class", "direction", "true", "standard", "strict", "suppress", "traffic")
	wrong, withheld := map[string]*mean{}, map[string]*mean{}
	for _, name := range profiles {
		wrong[name], withheld[name] = new(mean), new(mean)
	}
	for _, path := range truths(t) {
		clip, err := truth.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range clip.Lines {
			rows(t, b, clip.Clip, line, wrong, withheld)
		}
	}
	b.log(t, "Each clip as one window, cleared once (–: the policy does not count it).")
	b = newTable("policy", "noise", "mean error", "withheld")
	for _, name := range profiles {
		noise := "none"
		if p := profile(t, name); p.Method() == policy.Noise {
			noise = fmt.Sprintf("%.2f", laplace(p.Epsilon()))
		}
		b.row([]string{name, noise, fmt.Sprintf("%.2f", wrong[name].value()), percent(withheld[name].value())})
		if wrong[name].n == 0 {
			t.Errorf("%s counts nothing", name)
		}
	}
	b.log(t, fmt.Sprintf("All cells of all clips, %d times; a withheld number is read as half its bound.", draws))
}

// rows adds the cells of one line that have any truth.
func rows(t *testing.T, b *table, clip string, line truth.Line, wrong, withheld map[string]*mean) {
	t.Helper()
	var n passages
	for c := range n {
		for d := range n[c] {
			n[c][d] = uint32(line.Counts[c][d])
		}
	}
	once := map[string]map[[2]int]string{}
	for _, name := range profiles {
		p := profile(t, name)
		once[name] = map[[2]int]string{}
		for i := range draws {
			for _, cell := range clear(t, p, monday, n) {
				if cell.Dir == policy.Both {
					continue
				}
				if i == 0 {
					once[name][[2]int{int(cell.Class), int(cell.Dir)}] = told(cell)
				}
				wrong[name].add(math.Abs(readings[1].of(cell) - float64(n[cell.Class][cell.Dir])))
				withheld[name].add(share(cell.Ranged))
			}
		}
	}
	for c := range counting.Class(counting.Classes) {
		for d := range counting.Direction(counting.Directions) {
			if n[c][d] == 0 {
				continue
			}
			row := []string{clip, line.ID, c.String(), d.String(), fmt.Sprint(n[c][d])}
			for _, name := range profiles {
				text, counted := once[name][[2]int{int(c), int(d)}]
				if !counted {
					text = "–"
				}
				row = append(row, text)
			}
			b.row(row)
		}
	}
}
