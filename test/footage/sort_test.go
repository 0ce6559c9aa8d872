//go:build boxes

package footage

import (
	"math"
	"testing"
	"time"

	"kerb/agent/truth"
	"kerb/counting"
	"kerb/counting/vision"
)

// A plain SORT tracker (Bewley et al. 2016, arXiv 1602.00763) with a dead band at the line,
// as a bar for kerb's following on the same boxes. Its numbers were picked on the eight
// older clips by another hand.
const (
	sortKeep, sortBirth = 0.2, 0.4 // least scores of a detection that continues and that starts a track
	sortIoU             = 0.1
	sortAge             = 1.0 // seconds without a detection
	sortBand            = 0.1 // heights, at least a pixel
)

// sortFilter is a Kalman filter of one coordinate, one step a picture.
type sortFilter struct{ x, v, pxx, pxv, pvv float64 }

func (f *sortFilter) predict(h float64) {
	f.x += f.v
	f.pxx += 2*f.pxv + f.pvv + sq(h/20)
	f.pxv += f.pvv
	f.pvv += sq(h / 80)
}

func (f *sortFilter) correct(z, r float64) {
	s, d := f.pxx+r*r, z-f.x
	kx, kv := f.pxx/s, f.pxv/s
	f.x += kx * d
	f.v += kv * d
	f.pvv -= kv * f.pxv
	f.pxv -= kx * f.pxv
	f.pxx -= kx * f.pxx
}

func sq(x float64) float64 { return x * x }

type sortTrack struct {
	f            [4]sortFilter // middle, width, height
	votes        [counting.Classes]int
	hits, missed int
	was          []sortSide
}

type sortSide struct {
	known bool
	x, y  float64
	d     float64
}

func (k *sortTrack) class() (best counting.Class) {
	for c, n := range k.votes {
		if n > k.votes[best] {
			best = counting.Class(c)
		}
	}
	return best
}

func (k *sortTrack) box() (b vision.Box) {
	x, y, w, h := k.f[0].x, k.f[1].x, k.f[2].x, k.f[3].x
	return vision.Box{X0: float32(x - w/2), Y0: float32(y - h/2), X1: float32(x + w/2), Y1: float32(y + h/2)}
}

func middle(b vision.Box) [4]float64 {
	return [4]float64{float64(b.X0+b.X1) / 2, float64(b.Y0+b.Y1) / 2, float64(b.X1 - b.X0), float64(b.Y1 - b.Y0)}
}

func overlap(a, b vision.Box) float64 {
	w, h := min(a.X1, b.X1)-max(a.X0, b.X0), min(a.Y1, b.Y1)-max(a.Y0, b.Y0)
	if w <= 0 || h <= 0 {
		return 0
	}
	v := w * h
	return float64(v / ((a.X1-a.X0)*(a.Y1-a.Y0) + (b.X1-b.X0)*(b.Y1-b.Y0) - v))
}

func newSortTrack(b vision.Box, lines int) *sortTrack {
	k := &sortTrack{hits: 1, was: make([]sortSide, lines)}
	m := middle(b)
	h := m[3]
	for i, s := range [4]float64{h / 20, h / 20, m[2] / 10, h / 10} {
		v := h / 4
		if i > 1 {
			v = h / 20
		}
		k.f[i] = sortFilter{x: m[i], pxx: s * s, pvv: v * v}
	}
	k.votes[b.Class.WithoutSplit()]++
	return k
}

// countSorted counts a clip's boxes with SORT, at every picture or so many a second.
func countSorted(t *testing.T, c *clipTruth, f recording, every float64) *clipResult {
	keep := 1
	if every > 0 {
		keep = max(int(math.Round(c.truth.Rate/every)), 1)
	}
	var tracks []*sortTrack
	var all []counting.Crossing
	for i := 0; i < len(f); i += keep {
		tracks = stepSorted(tracks, f[i], len(c.truth.Lines), float64(keep)/c.truth.Rate)
		at := time.Duration(float64(i) / c.truth.Rate * float64(time.Second))
		for _, k := range tracks {
			if k.hits >= 2 && k.missed == 0 {
				all = append(all, k.cross(c.truth, at)...)
			}
		}
	}
	return c.score(all, f, c.truth.Width, c.truth.Height)
}

func stepSorted(tracks []*sortTrack, boxes []vision.Box, lines int, dt float64) (left []*sortTrack) {
	for _, k := range tracks {
		h := max(k.f[3].x, 4)
		for i := range k.f {
			k.f[i].predict(h)
		}
		k.f[2].x, k.f[3].x = max(k.f[2].x, 2), max(k.f[3].x, 2)
		k.missed++
	}
	found := vision.SuppressPlain(boxes, sortKeep)
	used := make([]bool, len(found))
	for _, class := range counting.CoarseClasses() {
		var rows []*sortTrack
		var cols []int
		for _, k := range tracks {
			if k.class() == class {
				rows = append(rows, k)
			}
		}
		for j, b := range found {
			if b.Class.WithoutSplit() == class {
				cols = append(cols, j)
			}
		}
		value := make([][]float64, len(rows))
		for i, k := range rows {
			for _, j := range cols {
				value[i] = append(value[i], overlap(k.box(), found[j]))
			}
		}
		for i, j := range assign(value, len(cols)) {
			if j < 0 || value[i][j] < sortIoU {
				continue
			}
			k, b := rows[i], found[cols[j]]
			m, h := middle(b), max(rows[i].f[3].x, 4)
			for n := range k.f {
				k.f[n].correct(m[n], h/20)
			}
			k.votes[class]++
			k.hits++
			k.missed = 0
			used[cols[j]] = true
		}
	}
	for j, b := range found {
		if !used[j] && b.Score >= sortBirth {
			tracks = append(tracks, newSortTrack(b, lines))
		}
	}
	for _, k := range tracks {
		if float64(k.missed)*dt <= sortAge && !(k.hits == 1 && k.missed > 2) {
			left = append(left, k)
		}
	}
	return left
}

// cross moves a track's reference point, the middle of a vehicle and the foot of anything
// else, over the lines.
func (k *sortTrack) cross(tr *truth.Truth, at time.Duration) (all []counting.Crossing) {
	x, y := k.f[0].x, k.f[1].x
	if k.class() != counting.Vehicle {
		y += k.f[3].x / 2
	}
	for i := range tr.Lines {
		l := tr.Lines[i].ScaledTo(float64(tr.Width), float64(tr.Height))
		d, _ := distanceTo(l, x, y)
		if math.Abs(d) < max(1, sortBand*k.f[3].x) {
			continue
		}
		was := k.was[i]
		k.was[i] = sortSide{true, x, y, d}
		if !was.known || (was.d > 0) == (d > 0) {
			continue
		}
		part := was.d / (was.d - d)
		if _, u := distanceTo(l, was.x+part*(x-was.x), was.y+part*(y-was.y)); u < 0 || u > 1 {
			continue
		}
		dir := counting.BToA
		if d > 0 {
			dir = counting.AToB
		}
		all = append(all, counting.Crossing{Stream: l.ID, Class: k.class(), Dir: dir, At: at})
	}
	return all
}

// distanceTo is the distance of a point from a line in pixels, positive on side b, and
// its place along the line, 0 at the start and 1 at the end.
func distanceTo(l counting.Line, x, y float64) (d, along float64) {
	ux, uy := l.To.X-l.From.X, l.To.Y-l.From.Y
	px, py := x-l.From.X, y-l.From.Y
	length := math.Hypot(ux, uy)
	return (ux*py - uy*px) / length, (ux*px + uy*py) / (length * length)
}

// assign pairs rows with columns so that the sum of values is greatest (Hungarian method);
// -1: the row stays alone.
func assign(value [][]float64, cols int) []int {
	rows := len(value)
	n := max(rows, cols)
	u, v, p, way := make([]float64, n+1), make([]float64, n+1), make([]int, n+1), make([]int, n+1)
	cost := func(i, j int) float64 {
		if i <= rows && j <= cols {
			return -value[i-1][j-1]
		}
		return 0
	}
	for i := 1; i <= n; i++ {
		p[0] = i
		least, done := make([]float64, n+1), make([]bool, n+1)
		for j := range least {
			least[j] = math.Inf(1)
		}
		at := 0
		for p[at] != 0 {
			done[at] = true
			delta, next := math.Inf(1), 0
			for j := 1; j <= n; j++ {
				if done[j] {
					continue
				}
				if c := cost(p[at], j) - u[p[at]] - v[j]; c < least[j] {
					least[j], way[j] = c, at
				}
				if least[j] < delta {
					delta, next = least[j], j
				}
			}
			for j := range n + 1 {
				if done[j] {
					u[p[j]] += delta
					v[j] -= delta
				} else {
					least[j] -= delta
				}
			}
			at = next
		}
		for ; at != 0; at = way[at] {
			p[at] = p[way[at]]
		}
	}
	of := make([]int, rows)
	for i := range of {
		of[i] = -1
	}
	for j := 1; j <= cols; j++ {
		if p[j] >= 1 && p[j] <= rows {
			of[p[j]-1] = j - 1
		}
	}
	return of
}
