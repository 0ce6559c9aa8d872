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
	Close() error
}

// openLoops is the visible switch from the words of site.toml to a driver.
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

func lineOptions(conf config.Loops) []loopdriver.Line {
	bias := map[string]loopdriver.Bias{"up": loopdriver.PullUp, "down": loopdriver.PullDown, "none": loopdriver.NoBias}
	var lines []loopdriver.Line
	for _, n := range conf.Lines {
		lines = append(lines, loopdriver.Line{Chip: n.Chip, Name: n.GPIO, ActiveHigh: n.ActiveHigh, Bias: bias[n.Bias]})
	}
	return lines
}

// loopOpts is the site's loops in the counter's words.
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
			MeanLength: n.MeanLength, Split: n.Split, LengthBins: loop.UK(),
		}
		if n.LengthClasses == "tls" {
			lane.LengthBins = loop.TLS()
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
