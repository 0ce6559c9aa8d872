package uplink

import (
	"slices"
	"strconv"

	"kerb/agent/policy"
	"kerb/counting"
)

// figureWidth is the width, in bytes, to which a number of a quantity is padded: that
// of the longest one, and of null.
const figureWidth = policy.Digits + 1

// appendTraffic appends the quantities of a window besides its counts: occ, speed,
// length, headway, gap, congested and standing. A number that is withheld is null. All numbers
// are padded, so that a message's length does not depend on what passed.
func appendTraffic(b []byte, fs []policy.Figures, cells []policy.Cell) []byte {
	find := func(q counting.Quantity) []*int64 {
		if i := slices.IndexFunc(fs, func(f policy.Figures) bool { return f.Quantity == q }); i >= 0 {
			return fs[i].Numbers
		}
		return nil
	}
	if v := find(counting.Occupancy); v != nil {
		b = append(appendFigure(append(b, `,"occ":{"permille":`...), v[0], 1), '}')
	}
	mean, bins := find(counting.MeanSpeed), find(counting.Speeds)
	if mean != nil || bins != nil {
		b = append(b, `,"speed":{`...)
		if mean != nil {
			b = appendFigure(append(b, `"n":`...), mean[0], 1)
			b = appendFigure(append(b, `,"mean":`...), mean[1], counting.SpeedUnitsKMH)
		}
		if mean != nil && bins != nil {
			b = append(b, ',')
		}
		if bins != nil {
			b = appendBins(b, bins)
		}
		b = append(b, '}')
	}
	for _, h := range []struct {
		q    counting.Quantity
		open string
	}{{counting.Lengths, `,"length":{`}, {counting.Headways, `,"headway":{`}, {counting.Gaps, `,"gap":{`}} {
		if v := find(h.q); v != nil {
			b = append(appendBins(append(b, h.open...), v), '}')
		}
	}
	if v := find(counting.Congested); v != nil {
		b = append(appendFigure(append(b, `,"congested":{"n":`...), v[0], 1), '}')
	}
	if v := find(counting.Standing); v != nil {
		b = appendStanding(b, v, cells)
	}
	return b
}

// appendStanding appends the member standing: for the class of each cell the mean number
// that stands and the mean number that moves.
func appendStanding(b []byte, v []*int64, cells []policy.Cell) []byte {
	b = append(b, `,"standing":[`...)
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `{"class":"`...), c.Class.String()...)
		b = appendFigure(append(b, `","standing":`...), v[2*i], meanUnits)
		b = append(appendFigure(append(b, `,"moving":`...), v[2*i+1], meanUnits), '}')
	}
	return append(b, ']')
}

// meanUnits is the number of units of a mean in one object: it is in tenths.
const meanUnits = 10

// appendBins appends the member "bins" of a histogram.
func appendBins(b []byte, bins []*int64) []byte {
	b = append(b, `"bins":[`...)
	for i, v := range bins {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFigure(b, v, 1)
	}
	return append(b, ']')
}

// appendFigure appends v/unit, or null for nil, padded with spaces to figureWidth.
func appendFigure(b []byte, v *int64, unit int) []byte {
	from := len(b)
	switch {
	case v == nil:
		b = append(b, "null"...)
	case unit == 1:
		b = strconv.AppendInt(b, *v, 10)
	default:
		b = strconv.AppendFloat(b, float64(*v)/float64(unit), 'f', -1, 64)
	}
	for len(b) < from+figureWidth {
		b = append(b, ' ')
	}
	return b
}
