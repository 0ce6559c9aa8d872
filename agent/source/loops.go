package source

import (
	"fmt"
	"time"

	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/counting/loop"
	loopdriver "kerb/drivers/loop"
	"kerb/drivers/loop/street"
)

// Edges is a source of loop edges, as each loop driver provides it.
type Edges interface {
	loop.Source
	// Close releases the GPIO lines.
	Close() error
}

// OpenLoops is the switch from the key source of [loop] to a driver: street is a
// simulation in real time with seed 1; otherwise the GPIO lines are requested from
// the kernel.
func OpenLoops(conf config.Loops) (Edges, error) {
	switch conf.Source {
	case "street":
		pairs, singles := 0, 0
		for _, lane := range conf.Lanes {
			if len(lane.Loops) == 2 {
				pairs++
			} else {
				singles++
			}
		}
		return street.New(street.Opts{Seed: 1, Pairs: pairs, Singles: singles, Realtime: true})
	default:
		lines, err := loopdriver.OpenLines(lineOptions(conf), conf.Debounce)
		if err != nil {
			return nil, fmt.Errorf("%w%s", err, handover.PrivateDevicesHint())
		}
		return lines, nil
	}
}

// lineOptions returns the GPIO lines of the site for their driver.
func lineOptions(conf config.Loops) []loopdriver.Line {
	bias := map[string]loopdriver.Bias{"up": loopdriver.PullUp, "down": loopdriver.PullDown, "none": loopdriver.NoBias}
	var lines []loopdriver.Line
	for _, n := range conf.Lines {
		lines = append(lines, loopdriver.Line{Chip: n.Chip, Name: n.GPIO, ActiveHigh: n.ActiveHigh, Bias: bias[n.Bias]})
	}
	return lines
}

// LoopOpts returns the options of a loop counter for the site's loops. wall returns
// the local wall time at a time of the edges' clock; it may be nil, as
// loop.Opts.Wall. Where the kernel removes contact bounce, the counter does not.
func LoopOpts(conf config.Loops, wall func(time.Duration) time.Time) loop.Opts {
	o := loop.Opts{Limits: loop.DefaultLimits(), Wall: wall}
	if conf.Debounce > 0 {
		o.Limits.Settle = 0
	}
	number := map[string]int{}
	for i, n := range conf.Lines {
		card := loop.Presence
		if n.Pulse {
			card = loop.Pulse
		}
		o.Lines = append(o.Lines, loop.Line{Name: n.Name, Card: card})
		number[n.Name] = i
	}
	for _, n := range conf.Lanes {
		lane := loop.Lane{
			Stream: n.ID, Reverse: n.Reverse, Spacing: n.Spacing, LoopLength: n.LoopLength,
			MeanLength: n.MeanLength, Split: n.Split, LengthBins: n.LengthBins(),
		}
		for _, name := range n.Loops {
			lane.Loops = append(lane.Loops, number[name])
		}
		for _, name := range n.Relays {
			lane.Relays = append(lane.Relays, number[name])
		}
		o.Lanes = append(o.Lanes, lane)
	}
	return o
}
