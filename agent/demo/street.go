package demo

import (
	"strings"

	"kerb/agent/config"
	"kerb/agent/replay"
	"kerb/agent/source"
	"kerb/agent/terminal"
	"kerb/counting"
	"kerb/drivers/camera/scene"
	loopstreet "kerb/drivers/loop/street"
)

// checkSource opens and closes the clip, so that a wrong file is reported at once,
// and refuses flags that contradict each other.
func (d *demonstration) checkSource() error {
	if d.Clip != "" {
		clip, err := source.OpenClip(d.Clip)
		if err != nil {
			return err
		}
		if err := clip.Close(); err != nil {
			return err
		}
	}
	if d.Loops && d.Clip != "" {
		return terminal.UsageError("-loops and CLIP are two kinds of street: use one of them")
	}
	if d.Detector == config.MotionDetector && d.Model != "" {
		return terminal.UsageError("-detector motion needs no -model")
	}
	return nil
}

// openScene opens the built-in street in real time. It returns nil where a clip or
// loops are counted instead.
func (d *demonstration) openScene() (*scene.Scene, error) {
	if d.Clip != "" || d.Loops {
		return nil, nil
	}
	if d.Busy {
		return openCrowd(d.For)
	}
	return source.OpenScene(d.Scene, true)
}

// cameraConfig returns the camera of the demonstration. For the street it has the
// street's own lines: bicycles and vehicles are counted on the road, and people on
// the other lines. For a clip it has a line across the middle and one along it.
func (d *demonstration) cameraConfig(street *scene.Scene) (c config.Camera, err error) {
	c = config.Camera{Name: "street", Detector: d.Detector, Model: d.Model}
	if street == nil {
		c.Source, err = config.ParseSource(d.Clip)
		c.Lines = replay.MiddleLines()
		return c, err
	}
	for _, l := range street.Lines() {
		classes := []counting.Class{counting.Person}
		if l.ID == "road" {
			classes = []counting.Class{counting.Bicycle, counting.Vehicle}
		}
		c.Lines = append(c.Lines, config.Line{Line: l, Classes: classes})
	}
	c.Heights = street.Heights()
	return c, nil
}

// madeUpLoops returns a lane with a pair of loops, which measures speeds, and a lane
// with a single loop, both on the built-in loop street.
func madeUpLoops() config.Loops {
	return config.Loops{
		Source: "street",
		Lines:  []config.LoopLine{{Name: "L1A"}, {Name: "L1B"}, {Name: "L2A"}},
		Lanes: []config.LoopLane{
			{ID: "pair", Loops: []string{"L1A", "L1B"}, Spacing: loopstreet.Spacing, LoopLength: loopstreet.LoopLength, Split: true},
			{ID: "single", Loops: []string{"L2A"}, LoopLength: loopstreet.LoopLength},
		},
	}
}

// describeSource names the source, for messages.
func (d *demonstration) describeSource() string {
	if d.Loops {
		return "made-up loops"
	}
	if d.Clip != "" {
		return d.Clip
	}
	if d.Busy {
		return "a crowd in the built-in street"
	}
	name, _, _ := strings.Cut(d.Scene, "?")
	return "the built-in street, " + name
}
