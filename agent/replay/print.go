package replay

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"kerb/counting"
)

// printText prints the result for people: a table of lines with truth, or the sums
// without, and then one row for each class that has truth or counts.
func (res *result) printText(w io.Writer) {
	fmt.Fprintf(w, "%s: %d pictures, %.1f s, %s, %.2f ms a picture (95 %%: %.2f), %d MB\n",
		res.Clip, res.Frames, res.Seconds, res.Detector, res.MS.P50, res.MS.P95, res.PeakRSS)
	for _, s := range res.Health {
		fmt.Fprintf(w, "  %s from %.1f to %.1f s\n", s.Fault, s.From, s.To)
	}
	if res.known {
		res.printLines(w)
	} else {
		res.printSums(w)
	}
	for _, c := range counting.AllClasses() {
		if whole := c.WithoutSplit(); whole != c {
			if n := res.Counted[c.String()]; n > 0 {
				fmt.Fprintf(w, "  %s: %d of those counted as %s\n", c, n, whole)
			}
			continue
		}
		if e, o := res.Error[c.String()], res.Occupancy[c.String()]; res.known && (e.Truth+e.AbsError+e.Extra > 0 || o.Samples > 0) {
			fmt.Fprintf(w, "  %s: off by %d of %d, %d matched, %d extra; occupancy off by %.2f over %d samples\n",
				c, e.AbsError, e.Truth, e.Matched, e.Extra, o.MeanAbsError, o.Samples)
		}
	}
}

// printLines prints a row for each line, class and direction with truth or counts.
func (res *result) printLines(w io.Writer) {
	fmt.Fprintf(w, "  %-14s %-10s %-7s %7s %6s %8s %8s\n", "line", "class", "dir", "counted", "truth", "accept", "matched")
	for _, l := range res.Lines {
		if l.Counted == 0 && l.Accept[1] == 0 {
			continue
		}
		fmt.Fprintf(w, "  %-14s %-10s %-7s %7d %6d %8s %8d\n", l.ID, l.Class, l.Dir, l.Counted, l.Truth,
			fmt.Sprintf("%d–%d", l.Accept[0], l.Accept[1]), l.Matched)
	}
}

// printSums prints the number of crossings by line, class and direction, for a clip
// without truth.
func (res *result) printSums(w io.Writer) {
	type cell struct{ line, class, dir string }
	sum := map[cell]int{}
	var order []cell
	for _, e := range res.Crossings {
		c := cell{e.Line, e.Class, e.Dir}
		if sum[c]++; sum[c] == 1 {
			order = append(order, c)
		}
	}
	slices.SortFunc(order, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.class, b.class), cmp.Compare(a.dir, b.dir))
	})
	for _, c := range order {
		fmt.Fprintf(w, "  %-14s %-10s %-7s %7d\n", c.line, c.class, c.dir, sum[c])
	}
	if len(order) == 0 {
		fmt.Fprintln(w, "  nothing crossed a line")
	}
}
