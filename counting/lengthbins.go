package counting

import (
	"fmt"
	"math"
	"strings"
)

// MaxLengthBins is the most bins that a length histogram has.
const MaxLengthBins = 16

// LengthBins are the bins of a length histogram, with their bounds in metres and
// their labels. The zero value has no bins.
type LengthBins struct {
	n      int // bins; bounds are one fewer
	bounds [MaxLengthBins - 1]float64
	labels [MaxLengthBins]string
}

// UKLengths gives the four length classes of British counters: up to 5.2 m, to 6.6 m,
// to 11.6 m, and longer.
func UKLengths() LengthBins {
	l, _ := NewLengthBins([]float64{5.2, 6.6, 11.6}, nil)
	return l
}

// TLSLengths gives the length intervals that the German TLS 8+1 vehicle codes share.
// Their expected lengths overlap, and two loops measure only length, so a bin's
// label lists every code that fits: 10 motorcycle, 7 car, 2 car with trailer,
// 11 van, 3 lorry, 5 bus, 8 lorry with trailer, 9 articulated, and 6
// (unclassified) outside of all. TLSCode gives a single code.
func TLSLengths() LengthBins {
	l, _ := NewLengthBins(
		[]float64{1.5, 3, 4, 5, 5.5, 6, 6.5, 8, 10, 12, 18, 20},
		[]string{"6", "10", "7", "7/11", "2/7/11", "2/11", "2/3/11", "2/3", "3/5", "3/5/8", "5/8/9", "9", "6"},
	)
	return l
}

// tlsUnclassified is the TLS 8+1 code of a vehicle that fits no class.
const tlsUnclassified = 6

// TLSCode is the TLS 8+1 code of a vehicle of length m metres where only one
// class is expected to be that long, and else 6, unclassified.
func TLSCode(m float64) int {
	t := TLSLengths()
	code := tlsUnclassified
	if label := t.labels[t.BinOf(m)]; !strings.Contains(label, "/") {
		fmt.Sscan(label, &code)
	}
	return code
}

// NewLengthBins makes bins from ascending bounds in metres, 1–15 of them, above 0. A
// length on a bound belongs to the bin above it. Without labels a bin is named
// by its bounds; with labels there must be one more than bounds.
func NewLengthBins(bounds []float64, labels []string) (LengthBins, error) {
	var l LengthBins
	if len(bounds) < 1 || len(bounds) > MaxLengthBins-1 {
		return l, fmt.Errorf("%d bounds: must be 1–%d", len(bounds), MaxLengthBins-1)
	}
	if labels != nil && len(labels) != len(bounds)+1 {
		return l, fmt.Errorf("%d labels: must be one more than the %d bounds", len(labels), len(bounds))
	}
	for i, b := range bounds {
		if !(b > 0) || math.IsInf(b, 0) || i > 0 && b <= bounds[i-1] {
			return l, fmt.Errorf("bound %g: must be above 0 and ascending", b)
		}
		l.bounds[i] = b
	}
	l.n = len(bounds) + 1
	if labels != nil {
		copy(l.labels[:], labels)
		return l, nil
	}
	l.labels[0] = fmt.Sprintf("<%g", bounds[0])
	for i := 1; i < len(bounds); i++ {
		l.labels[i] = fmt.Sprintf("%g–%g", bounds[i-1], bounds[i])
	}
	l.labels[len(bounds)] = fmt.Sprintf("≥%g", bounds[len(bounds)-1])
	return l, nil
}

// Len is the number of bins.
func (l LengthBins) Len() int { return l.n }

// Bound is the upper bound of bin i in metres, exclusive; the last bin has none.
func (l LengthBins) Bound(i int) float64 { return l.bounds[i] }

// BinLabel is the label of bin i.
func (l LengthBins) BinLabel(i int) string { return l.labels[i] }

// BinOf is the bin of a length of m metres.
func (l *LengthBins) BinOf(m float64) int {
	for i := range l.n - 1 {
		if m < l.bounds[i] {
			return i
		}
	}
	return l.n - 1
}
