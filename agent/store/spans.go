package store

import (
	"encoding/json"
	"errors"
	"slices"
	"sort"
)

// span is a range of orders, both ends included.
type span [2]uint64

func (a span) isEmpty() bool { return a[0] == 0 || a[1] < a[0] }

// spans is a set of orders as disjoint ranges in ascending order, with a gap of
// at least one order between two of them.
type spans []span

// indexFrom returns the index of the first range that ends at x or later.
func (s spans) indexFrom(x uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i][1] >= x })
}

// contains reports whether x is in the set.
func (s spans) contains(x uint64) bool {
	i := s.indexFrom(x)
	return i < len(s) && s[i][0] <= x
}

// total returns the number of orders in the set.
func (s spans) total() (n uint64) {
	for _, r := range s {
		n += r[1] - r[0] + 1
	}
	return n
}

// addRange adds lo…hi and joins the ranges that it overlaps or touches.
func (s *spans) addRange(lo, hi uint64) {
	i := s.indexFrom(max(lo, 1) - 1) // a range that ends just before lo is joined
	j := i
	for j < len(*s) && ((*s)[j][0] <= hi || (*s)[j][0] == hi+1) {
		lo, hi = min(lo, (*s)[j][0]), max(hi, (*s)[j][1])
		j++
	}
	*s = slices.Replace(*s, i, j, span{lo, hi})
}

// removeRange removes lo…hi, cutting ranges where needed.
func (s *spans) removeRange(lo, hi uint64) {
	i := s.indexFrom(lo)
	j := i
	var rest spans
	for j < len(*s) && (*s)[j][0] <= hi {
		r := (*s)[j]
		if r[0] < lo {
			rest = append(rest, span{r[0], lo - 1})
		}
		if r[1] > hi {
			rest = append(rest, span{hi + 1, r[1]})
		}
		j++
	}
	*s = slices.Replace(*s, i, j, rest...)
}

// complementTo returns the ranges within 1…last that are not in the set.
func (s spans) complementTo(last uint64) spans {
	var out spans
	from := uint64(1)
	for _, r := range s {
		if r[0] > from {
			out = append(out, span{from, min(r[0]-1, last)})
		}
		from = r[1] + 1
	}
	if from <= last {
		out = append(out, span{from, last})
	}
	return out
}

// mergeNearest joins the ranges with the smallest gaps until at most n are
// left, which bounds the account. The orders in the gaps become pending and are
// sent once more, unchanged.
func (s *spans) mergeNearest(n int) {
	if len(*s) <= n {
		return
	}
	gaps := make([]uint64, len(*s)-1)
	for i := range gaps {
		gaps[i] = (*s)[i+1][0] - (*s)[i][1]
	}
	sorted := slices.Clone(gaps)
	slices.Sort(sorted)
	limit := sorted[len(*s)-n-1]
	out := spans{(*s)[0]}
	for i, r := range (*s)[1:] {
		if gaps[i] <= limit {
			out[len(out)-1][1] = r[1]
		} else {
			out = append(out, r)
		}
	}
	*s = out
}

// UnmarshalJSON reads a list of ranges and refuses one that is not in ascending
// order.
func (s *spans) UnmarshalJSON(b []byte) error {
	var raw []span
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	for i, r := range raw {
		if r.isEmpty() || i > 0 && r[0] <= raw[i-1][1]+1 {
			return errors.New("ranges out of order")
		}
	}
	*s = raw
	return nil
}
