package vision

import "math"

// assignment solves the assignment problem: it pairs rows with columns so that the sum
// of the pairs' values is greatest, by shortest augmenting paths (Kuhn 1955; Jonker
// and Volgenant 1987). It is bounded by maxTracks and does not allocate. A pair of
// value 0 or less is never made: every row has, besides, a column of its own of value
// 0, in which it stays alone.
type assignment struct {
	value [maxTracks][maxTracks]float64 // by row and column, filled by the caller

	u             [maxTracks + 1]float64
	v, minReduced [2*maxTracks + 1]float64 // u and v: dual variables; least reduced cost of each column
	row, back     [2*maxTracks + 1]int     // of a column: its row; the column before it on the path
	done          [2*maxTracks + 1]bool
}

// solve pairs rows with columns and fills of with the column of each row, -1 for none.
func (p *assignment) solve(rows, cols int, of *[maxTracks]int) {
	all := cols + rows
	clear(p.u[:rows+1])
	clear(p.v[:all+1])
	clear(p.row[:all+1])
	for i := 1; i <= rows; i++ {
		p.augment(i, cols, all)
	}
	for i := range rows {
		of[i] = -1
	}
	for j := 1; j <= cols; j++ {
		if i := p.row[j]; i > 0 && p.value[i-1][j-1] > 0 {
			of[i-1] = j - 1
		}
	}
}

// augment finds a column for row i along a shortest augmenting path, and moves other
// rows where the sum gains by it. Rows and columns count from 1.
func (p *assignment) augment(i, cols, all int) {
	for j := range all + 1 {
		p.minReduced[j], p.done[j] = math.Inf(1), false
	}
	p.row[0] = i
	at := 0
	for p.row[at] != 0 {
		p.done[at] = true
		r, delta, next := p.row[at], math.Inf(1), 0
		for j := 1; j <= all; j++ {
			if p.done[j] {
				continue
			}
			if c := p.pairCost(r, j, cols) - p.u[r] - p.v[j]; c < p.minReduced[j] {
				p.minReduced[j], p.back[j] = c, at
			}
			if p.minReduced[j] < delta {
				delta, next = p.minReduced[j], j
			}
		}
		for j := range all + 1 {
			if p.done[j] {
				p.u[p.row[j]] += delta
				p.v[j] -= delta
			} else {
				p.minReduced[j] -= delta
			}
		}
		at = next
	}
	for at != 0 {
		before := p.back[at]
		p.row[at] = p.row[before]
		at = before
	}
}

// forbidden is the cost of a pair that must not be made: more than any sum of values
// (at most 4 for each of maxTracks pairs).
const forbidden = 1e6

// pairCost is the cost of a pair: its value, negated. Rows and columns count from 1.
func (p *assignment) pairCost(row, col, cols int) float64 {
	switch {
	case col > cols && col-cols == row:
		return 0
	case col > cols:
		return forbidden
	case p.value[row-1][col-1] > 0:
		return -p.value[row-1][col-1]
	}
	return forbidden
}
