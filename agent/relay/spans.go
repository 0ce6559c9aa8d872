package relay

import (
	"slices"
	"sort"
)

// span is a range of numbers, both ends included, with the starts (Unix seconds) of its
// first and last window where these are known.
type span struct {
	From  uint64 `json:"f"`
	To    uint64 `json:"t"`
	First int64  `json:"a,omitempty"`
	Last  int64  `json:"b,omitempty"`
}

// spans is a set of numbers as disjoint ranges in ascending order, with a number
// missing between two of them.
type spans []span

func (s spans) indexFrom(x uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].To >= x })
}

// contains reports whether x is in the set.
func (s spans) contains(x uint64) bool {
	i := s.indexFrom(x)
	return i < len(s) && s[i].From <= x
}

// add adds a range and joins those that it overlaps or touches.
func (s *spans) add(n span) {
	i := s.indexFrom(max(n.From, 1) - 1)
	j := i
	for j < len(*s) && (*s)[j].From <= n.To+1 {
		o := (*s)[j]
		if o.From < n.From {
			n.From, n.First = o.From, o.First
		}
		if o.To > n.To {
			n.To, n.Last = o.To, o.Last
		}
		j++
	}
	*s = slices.Replace(*s, i, j, n)
}

// missing returns the ranges within 1…last that are not in the set. First and Last of
// a range are the starts of the windows before and after it.
func (s spans) missing(last uint64) (out spans) {
	hole := span{From: 1}
	for _, r := range s {
		if r.From > hole.From {
			out = append(out, span{hole.From, r.From - 1, hole.First, r.First})
		}
		hole = span{From: r.To + 1, First: r.Last}
	}
	if hole.From <= last {
		out = append(out, span{hole.From, last, hole.First, 0})
	}
	return out
}

// prefix returns the last number up to which all numbers from 1 on are in the set.
func (s spans) prefix() uint64 {
	if len(s) == 0 || s[0].From > 1 {
		return 0
	}
	return s[0].To
}

// size returns how many numbers the set has.
func (s spans) size() (n uint64) {
	for _, r := range s {
		n += r.To - r.From + 1
	}
	return n
}

// last returns the highest number of the set, 0 where it is empty.
func (s spans) last() uint64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].To
}

// union returns the numbers that are in one of the sets.
func (s spans) union(o spans) spans {
	u := slices.Clone(s)
	for _, r := range o {
		u.add(r)
	}
	return u
}
