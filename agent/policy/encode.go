package policy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"kerb/counting"
)

// The stored form of a Release: magic, then fixed-width big-endian fields,
// then the cells and the figures of the quantities. Its length depends on the stream's
// name, its declared cells and quantities, the quality and the reason, and not on any
// count. A release without quantities keeps the form that earlier versions read.
const (
	releaseMagic = "KRL\x01" // without quantities
	trafficMagic = "KRL\x02" // with the quantities behind the cells
	cellSize     = 1 + 1 + 1 + 8 + 8
	figureSize   = 1 + 1 + 8
	maxTime      = 253402300799999 // ms: the last of the year 9999
	maxMono      = int64(1<<63-1) / int64(time.Millisecond)

	stillZone = byte(counting.LoopStream) + 1 // in the place of the kind: a zone that was observed at instants
)

var methods = [...]Method{Noise, Suppress, Bands}

// MarshalBinary is the stored form. It returns an error for the zero Release.
func (r Release) MarshalBinary() ([]byte, error) {
	if r.IsZero() {
		return nil, errors.New("marshal release: it is the zero value")
	}
	b := make([]byte, 0, 160+len(r.stream)+cellSize*r.count+figureSize*r.figureCount)
	if r.figureCount > 0 {
		b = append(b, trafficMagic...)
	} else {
		b = append(b, releaseMagic...)
	}
	b = append(b, r.policy[:]...)
	kind := byte(r.kind)
	if r.still {
		kind = stillZone
	}
	b = append(b, kind, byte(r.quality), byte(slices.Index(methods[:], r.rule.method)), flagByte(r.rule.totals))
	for _, v := range []int64{r.start, r.end, r.mono, r.observed} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	for _, v := range append([]uint16{r.rule.epsilon, r.rule.below, r.rule.round}, r.rule.bands[:]...) {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	for _, s := range []string{r.stream, r.reason} {
		b = append(append(b, byte(len(s))), s...)
	}
	b = append(b, byte(r.count))
	for _, c := range r.cells[:r.count] {
		b = append(b, byte(c.class), byte(c.dir), flagByte(c.ranged))
		b = binary.BigEndian.AppendUint64(b, uint64(c.a))
		b = binary.BigEndian.AppendUint64(b, uint64(c.b))
	}
	if r.figureCount > 0 {
		b = append(b, byte(r.figureCount))
	}
	for _, f := range r.figures[:r.figureCount] {
		b = append(b, byte(f.quantity), flagByte(f.withheld))
		b = binary.BigEndian.AppendUint64(b, uint64(f.a))
	}
	return b, nil
}

func flagByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// RestoreRelease decodes the stored form, for the spool and for the process that the
// supervisor hands a cleared window. It returns an error for every value that Clear cannot have made under any policy:
// well-formed bytes alone are no proof that a number was cleared.
func RestoreRelease(b []byte) (Release, error) {
	r, err := decodeRelease(b)
	if err == nil {
		err = r.checkFields()
	}
	if err != nil {
		return Release{}, fmt.Errorf("restore release: %w", err)
	}
	return r, nil
}

// fieldReader takes fields off the front of b. After a short read all fields
// are 0, and short is set.
type fieldReader struct {
	b     []byte
	short bool
}

func (d *fieldReader) takeBytes(n int) []byte {
	if len(d.b) < n {
		d.b, d.short = nil, true
		return make([]byte, n)
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *fieldReader) takeByte() byte     { return d.takeBytes(1)[0] }
func (d *fieldReader) takeUint16() uint16 { return binary.BigEndian.Uint16(d.takeBytes(2)) }
func (d *fieldReader) takeInt64() int64   { return int64(binary.BigEndian.Uint64(d.takeBytes(8))) }
func (d *fieldReader) takeText() string   { return string(d.takeBytes(int(d.takeByte()))) }

func (d *fieldReader) takeFlag() bool {
	v := d.takeByte()
	d.short = d.short || v > 1
	return v == 1
}

func decodeRelease(b []byte) (r Release, err error) {
	d := fieldReader{b: b}
	magic := string(d.takeBytes(len(releaseMagic)))
	if magic != releaseMagic && magic != trafficMagic {
		return r, errors.New("not a release of this version")
	}
	copy(r.policy[:], d.takeBytes(len(r.policy)))
	r.kind, r.quality = counting.Kind(d.takeByte()), counting.Quality(d.takeByte())
	if byte(r.kind) == stillZone {
		r.kind, r.still = counting.ZoneStream, true
	}
	method := int(d.takeByte())
	if method >= len(methods) {
		return r, errors.New("unknown method")
	}
	r.rule.method, r.rule.totals = methods[method], d.takeFlag()
	r.start, r.end, r.mono, r.observed = d.takeInt64(), d.takeInt64(), d.takeInt64(), d.takeInt64()
	r.rule.epsilon, r.rule.below, r.rule.round = d.takeUint16(), d.takeUint16(), d.takeUint16()
	for i := range r.rule.bands {
		r.rule.bands[i] = d.takeUint16()
	}
	r.stream, r.reason = d.takeText(), d.takeText()
	if r.count = int(d.takeByte()); r.count > maxCells {
		return r, errors.New("too many cells")
	}
	for i := range r.count {
		r.cells[i] = cell{counting.Class(d.takeByte()), counting.Direction(d.takeByte()), d.takeFlag(), d.takeInt64(), d.takeInt64()}
	}
	if magic == trafficMagic {
		if r.figureCount = int(d.takeByte()); r.figureCount == 0 || r.figureCount > maxFigures {
			return r, errors.New("no quantities, or too many")
		}
	}
	for i := range r.figureCount {
		r.figures[i] = figure{counting.Quantity(d.takeByte()), d.takeFlag(), d.takeInt64()}
	}
	if d.short || len(d.b) > 0 {
		return r, errors.New("wrong length or flag")
	}
	return r, nil
}

// checkFields returns an error for a Release that Clear cannot have made under
// any policy.
func (r *Release) checkFields() error {
	length := r.end - r.start
	gap := r.quality == counting.Gap
	switch {
	case r.kind > counting.LoopStream || r.quality > counting.Gap:
		return errors.New("unknown kind or quality")
	case !isName(r.stream):
		return errors.New("bad stream name")
	case r.start < 0 || length < 1000 || maxWindow.Milliseconds()%length != 0 || r.end > maxTime || r.start%length != 0:
		return errors.New("bad window")
	case r.mono < 0 || r.mono > maxMono || r.observed < 0 || r.observed*1000 > length || gap && r.observed != 0:
		return errors.New("bad times")
	case r.quality == counting.OK && r.reason != "" || r.quality != counting.OK && !isWord(r.reason):
		return errors.New("bad reason")
	case gap != (r.count == 0):
		return errors.New("a gap has no cells, and only a gap")
	}
	if err := r.rule.checkRule(r.kind); err != nil {
		return err
	}
	return errors.Join(r.checkCells(), r.checkFigures())
}

// checkRule returns an error for parameters that no policy can have.
func (u rule) checkRule(k counting.Kind) error {
	noise, suppress, bands := u.method == Noise, u.method == Suppress, u.method == Bands
	switch {
	case u.below > maxBelow || u.round < 1 || u.round > maxBelow:
		return errors.New("bad threshold")
	case noise != (u.epsilon > 0) || u.epsilon > maxEpsilon*1000:
		return errors.New("bad epsilon")
	case suppress && u.below < minBelow || bands && u.below > 0:
		return errors.New("bad threshold")
	case !suppress && (u.totals || u.round != 1):
		return errors.New("totals and rounding go with suppression")
	case bands && k != counting.ZoneStream || bands != (u.bands[0] > 0):
		return errors.New("bands go with zones")
	}
	last := uint16(0)
	for i, b := range u.bands {
		if b != 0 && (b < last+minBand || b > maxBelow || i > 0 && last == 0) {
			return errors.New("bad bands")
		}
		last = b
	}
	return nil
}

// checkCells checks that the cells are those of some set of classes, in order,
// and that each is a possible result of the rule.
func (r *Release) checkCells() error {
	var counted [counting.Classes]bool
	last, rule := -1, r.rule
	oneWay := r.isOneWay()
	rule.totals = rule.totals && !oneWay
	per := r.cellsPerClass(oneWay)
	if r.count%per != 0 {
		return errors.New("cells are missing")
	}
	for i := 0; i < r.count; i += per {
		group := r.cells[i : i+per]
		class := group[0].class
		if int(class) >= counting.Classes || int(class) <= last {
			return errors.New("cells out of order")
		}
		last = int(class)
		counted[class] = true
		for d, c := range group {
			if c.class != class || int(c.dir) != d && !(oneWay && c.dir == r.cells[0].dir && c.dir < counting.Directions) {
				return errors.New("cells out of order")
			}
		}
		if !rule.allowsGroup(r.kind, group) {
			return fmt.Errorf("impossible cells for %s", class)
		}
	}
	if r.count == 0 {
		return nil
	}
	return checkSplit(counted)
}

// isOneWay reports whether r has one direction: a loop's first two cells are then
// not of one class.
func (r *Release) isOneWay() bool {
	return r.kind == counting.LoopStream && (r.count == 1 || r.count > 1 && r.cells[0].class != r.cells[1].class)
}

// cellsPerClass is the number of cells of each class.
func (r *Release) cellsPerClass(oneWay bool) int {
	switch {
	case r.kind == counting.ZoneStream || oneWay:
		return 1
	case r.rule.totals:
		return counting.Directions + 1
	}
	return counting.Directions
}

// allowsGroup reports whether the cells of one class are a possible result of
// the rule.
func (u rule) allowsGroup(k counting.Kind, cs []cell) bool {
	switch {
	case k == counting.ZoneStream:
		return u.allowsZone(cs[0])
	case u.method == Noise:
		return !slices.ContainsFunc(cs, func(c cell) bool {
			return !isWithheld(c, u.below) && (c.ranged || c.b != 0 || c.a > maxCount || c.a < max(minCount, leastShown(u.below)))
		})
	}
	if u.totals {
		return u.allowsTotals(cs[0], cs[1], cs[2])
	}
	return !slices.ContainsFunc(cs, func(c cell) bool { return !isWithheld(c, u.below) && !u.allowsShown(c) })
}

// allowsShown reports whether c is a count that suppression can leave visible.
func (u rule) allowsShown(c cell) bool {
	step := int64(u.round)
	return !c.ranged && c.b == 0 && c.a%step == 0 && c.a >= roundToStep(int64(u.below), step, maxCount) && c.a <= maxCount
}

// isWithheld reports whether c is "below the threshold".
func isWithheld(c cell, below uint16) bool {
	return below > 0 && c.ranged && c.a == 0 && c.b == int64(below)
}

// leastShown is the smallest number that is not withheld.
func leastShown(below uint16) int64 {
	if below == 0 {
		return minCount
	}
	return int64(below)
}

// allowsTotals reports whether two directions and their total are a possible
// result of suppressCells: all shown, both bounded by the total, or all
// withheld.
func (u rule) allowsTotals(a, b, total cell) bool {
	switch {
	case isWithheld(total, u.below):
		return isWithheld(a, u.below) && isWithheld(b, u.below)
	case !u.allowsShown(total):
		return false
	case a.ranged:
		return a.a == 0 && a.b == total.a+int64(u.round)/2+1 && b == cell{b.class, b.dir, true, a.a, a.b}
	case !u.allowsShown(a) || !u.allowsShown(b):
		return false
	}
	fromA, toA := u.countsRoundedTo(a.a)
	fromB, toB := u.countsRoundedTo(b.a)
	from, to := u.countsRoundedTo(total.a)
	return fromA+fromB <= to && from <= toA+toB
}

// countsRoundedTo gives the smallest and the largest count that are shown as n.
func (u rule) countsRoundedTo(n int64) (from, to int64) {
	step := int64(u.round)
	from = max(n-step/2, int64(u.below))
	if n+step > maxCount {
		return from, math.MaxInt32 * 4 // moved to the bound
	}
	return from, n - step/2 + step - 1
}

// allowsZone reports whether the cell of a zone is a possible result of the
// rule.
func (u rule) allowsZone(c cell) bool {
	switch u.method {
	case Bands:
		from, below := clearer{rule: u}.bandAround(c.a)
		return c.ranged && c.a == from && c.b == below
	case Noise:
		return isWithheld(c, u.below) || !c.ranged && c.a >= max(minMean, 10*leastShown(u.below)) && c.a <= maxMean &&
			c.b >= minCount && c.b <= maxCount
	default:
		step := int64(u.round)
		return isWithheld(c, u.below) || !c.ranged && c.a%(10*step) == 0 && c.b%step == 0 &&
			c.a >= roundToStep(10*int64(u.below), 10*step, maxMean) && c.a <= maxMean && c.b >= 0 && c.b <= maxCount
	}
}

// isName reports whether s can be the name of a stream, and so a level of a
// topic.
func isName(s string) bool { return len(s) >= 1 && len(s) <= 64 && consistsOf(s, "-") }

// isWord reports whether s is a short word, such as camera_lost.
func isWord(s string) bool { return len(s) >= 1 && len(s) <= 32 && consistsOf(s, "") }

// consistsOf reports whether s has only a–z, 0–9, _ and the characters in more.
func consistsOf(s, more string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || strings.ContainsRune(more, r))
	})
}
