package loop

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"kerb/counting"
)

// LineState is the present state of one input line, for a technician at the
// cabinet. Like a Crossing it is for memory and for a terminal only.
type LineState struct {
	Line   string
	Stream string // the stream of its lane, "" if none
	Relay  bool   // a fault relay
	Known  bool   // the level has been seen
	On     bool
	Onsets int           // onsets since the start; 0 without Opts.Totals
	LastOn time.Duration // the last on-time
	Speed  float64       // m/s, of the last vehicle of the lane with a speed
	Total  uint32        // passages of the lane since the start; 0 without Opts.Totals
	Faults Fault
	Bits   uint16 // the last 16 presence bits of SCOOT, 250 ms each, newest lowest
}

// AppendLineStates appends the state of every line to dst.
func (c *Counter) AppendLineStates(dst []LineState) []LineState {
	for i := range c.inputs {
		in := &c.inputs[i]
		in.rollBits(c.clock - c.origin)
		s := LineState{Line: in.name, Relay: in.relay, Known: in.levelKnown, On: in.on, Onsets: in.total, LastOn: in.lastOn, Faults: in.faults, Bits: in.bits}
		if in.lane >= 0 {
			l := &c.lanes[in.lane]
			s.Stream, s.Speed, s.Total = l.Stream, l.lastSpeed, l.total
		}
		dst = append(dst, s)
	}
	return dst
}

// WriteLineTable prints line states as a table for a terminal, one line a row.
func WriteLineTable(w io.Writer, lines []LineState) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LINE\tSTREAM\tSTATE\tVEHICLES\tPASSAGES\tLAST ON\tSPEED\tLAST 4 S\tFAULTS")
	for _, l := range lines {
		state := "free"
		switch {
		case !l.Known:
			state = "–"
		case l.Relay && l.On:
			state = "fallen"
		case l.Relay:
			state = "held"
		case l.On:
			state = "covered"
		}
		speed, last, stream := "–", "–", l.Stream
		if l.Speed > 0 {
			speed = fmt.Sprintf("%.0f km/h", l.Speed*kmh)
		}
		if l.LastOn > 0 {
			last = l.LastOn.Round(time.Millisecond).String()
		}
		if stream == "" {
			stream = "–"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\t%v\n", l.Line, stream, state, l.Onsets, l.Total, last, speed, bitString(l.Bits), l.Faults)
	}
	return t.Flush()
}

// bitString is oldest first, . for free and # for covered.
func bitString(b uint16) string {
	var s [16]byte
	for i := range s {
		if s[i] = '.'; b&(1<<(15-i)) != 0 {
			s[i] = '#'
		}
	}
	return string(s[:])
}

// WriteWindowTable prints windows as a table for a terminal, one a row: for
// recordings and for a technician at the cabinet. They are not cleared by any
// policy.
func WriteWindowTable(w io.Writer, windows []Window) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STREAM\tFROM\tTO\tPASSAGES\tOCCUPANCY\tSPEED\tLENGTHS\tQUALITY")
	for i := range windows {
		v := &windows[i]
		occupancy, speed, lengths := "–", "–", "–"
		if o, ok := v.Occupancy(); ok {
			occupancy = fmt.Sprintf("%.1f %%", 100*o)
		}
		if b, ok := medianBin(v.Speeds[:]); ok {
			speed = fmt.Sprintf("%d–%d km/h", kmhPerBin*b, kmhPerBin*b+kmhPerBin)
			if v.Estimated {
				speed += " (estimated)"
			}
		}
		if SumBins(v.Lengths[:]) > 0 {
			lengths = ""
			for b := range v.LengthBins.Len() {
				lengths += fmt.Sprintf("%s: %d  ", v.LengthBins.BinLabel(b), v.Lengths[b])
			}
		}
		quality := v.Quality.String()
		if v.Reason != counting.NoReason {
			quality += ", " + v.Reason.String()
		}
		fmt.Fprintf(t, "%s\t%v\t%v\t%d\t%s\t%s\t%s\t%s\n", v.Stream, v.Start.Round(time.Millisecond), v.End.Round(time.Millisecond),
			v.Flow(), occupancy, speed, strings.TrimSpace(lengths), quality)
	}
	return t.Flush()
}

// medianBin is the bin with the median of a histogram; ok is false where the
// histogram is empty.
func medianBin(h []uint32) (bin int, ok bool) {
	half, sum := (SumBins(h)+1)/2, uint32(0)
	for i, n := range h {
		if sum += n; sum >= half && half > 0 {
			return i, true
		}
	}
	return 0, false
}
