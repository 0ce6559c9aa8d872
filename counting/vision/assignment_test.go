package vision

import (
	"math"
	"math/rand/v2"
	"testing"
)

// bestSum is the greatest sum of values, by exhaustive search.
func bestSum(p *assignment, row, rows, cols int, taken uint) float64 {
	if row == rows {
		return 0
	}
	best := bestSum(p, row+1, rows, cols, taken)
	for j := range cols {
		if w := p.value[row][j]; w > 0 && taken>>j&1 == 0 {
			best = max(best, w+bestSum(p, row+1, rows, cols, taken|1<<j))
		}
	}
	return best
}

func TestAssignmentIsOptimal(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	p := new(assignment)
	var of [maxTracks]int
	for range 2000 {
		rows, cols := r.IntN(6), r.IntN(6)
		for i := range rows {
			for j := range cols {
				p.value[i][j] = max(0, 2*r.Float64()-0.8)
			}
		}
		p.solve(rows, cols, &of)
		sum, taken := 0.0, map[int]bool{}
		for i := range rows {
			j := of[i]
			if j < 0 {
				continue
			}
			if j >= cols || taken[j] || p.value[i][j] <= 0 {
				t.Fatalf("%d×%d: row %d got column %d", rows, cols, i, j)
			}
			taken[j] = true
			sum += p.value[i][j]
		}
		if want := bestSum(p, 0, rows, cols, 0); math.Abs(sum-want) > 1e-9 {
			t.Fatalf("%d×%d: value %v; the greatest is %v", rows, cols, sum, want)
		}
	}
}

func TestAFullAssignmentDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	p := new(assignment)
	for i := range p.value {
		for j := range p.value[i] {
			p.value[i][j] = r.Float64()
		}
	}
	var of [maxTracks]int
	if a := testing.AllocsPerRun(3, func() { p.solve(maxTracks, maxTracks, &of) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
	for i := range of {
		if of[i] < 0 {
			t.Errorf("row %d is alone, although everything fits", i)
		}
	}
}
