// Package truth holds checked counts of a clip or of still pictures, made by a
// person, and compares a counter with them. A truth file has lines and
// crossings in pixels and 0-based frames of the clip. Crossings are matched one
// to one within 1.5 s, because totals can be right by chance.
//
// It is for tests and for kerb replay. It refuses files that are incomplete or
// name an unknown class or direction. A running device does not use it.
package truth

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"kerb/counting"
)

// Truth is the checked counts of one clip, as read from NAME.truth.json.
type Truth struct {
	Clip          string
	Width, Height int     // of the clip, pixels
	Rate          float64 // pictures per second
	Frames        int
	Lines         []Line
	Occupancy     []Sample
	Zone          counting.Zone // where Occupancy was sampled; the whole picture if the file has no region
}

// Line is one counting line and its crossings.
type Line struct {
	counting.Line                                              // in fractions of the picture
	Counts        [counting.Classes][counting.Directions]int   // coarse classes only
	Accept        [counting.Classes][counting.Directions]Range // counts that are accepted as correct
	Crossings     []Crossing                                   // in the file's order
	given         [counting.Classes][counting.Directions]bool  // whether the file has the cell
}

// Range is a range of counts, both ends included.
type Range struct{ Min, Max int }

// Crossing is one object that crossed a line. A marginal one stepped over the
// line and back: it is inside Accept but not in Counts.
type Crossing struct {
	Frame    int
	Class    counting.Class
	Dir      counting.Direction
	Marginal bool
}

// Sample is the number of objects in the Zone at one frame, by class; -1 for a
// class that was not counted.
type Sample struct {
	Frame int
	Count [counting.Classes]int
}

// notCounted stands for the count of a class that was not counted.
const notCounted = -1

// ZoneID is the id of the stream with which occupancy is compared.
const ZoneID = "occupancy"

// Load reads a truth file. Errors name the file and the mistake.
func Load(path string) (*Truth, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// truthFile mirrors the JSON, without the keys on the origin of the clip.
type truthFile struct {
	Clip      string               `json:"clip"`
	Width     int                  `json:"width"`
	Height    int                  `json:"height"`
	FPS       float64              `json:"fps"`
	Frames    int                  `json:"frames"`
	Lines     []lineFile           `json:"lines"`
	Occupancy []object[sampleFile] `json:"occupancy"`
	ROI       *roi                 `json:"occupancy_roi"`
}

// sampleFile is one sample of occupancy, but for its counts.
type sampleFile struct {
	Frame int `json:"frame"`
}

type lineFile struct {
	ID        string                       `json:"id"`
	From      [2]float64                   `json:"from"`
	To        [2]float64                   `json:"to"`
	Counts    map[string]map[string]int    `json:"counts"`
	Accept    map[string]map[string][2]int `json:"accept"`
	Crossings []struct {
		Frame     int    `json:"frame"`
		Class     string `json:"class"`
		Direction string `json:"direction"`
		Marginal  bool   `json:"marginal"`
	} `json:"crossings"`
}

// Parse parses a truth file. Unknown keys are ignored: such files carry prose
// about their making.
func Parse(b []byte) (*Truth, error) {
	var f truthFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	if f.Width <= 0 || f.Height <= 0 || f.FPS <= 0 {
		return nil, errors.New("width, height and fps must be above 0")
	}
	t := &Truth{Clip: f.Clip, Width: f.Width, Height: f.Height, Rate: f.FPS, Frames: f.Frames}
	for _, fl := range f.Lines {
		l, err := fl.toLine(float64(f.Width), float64(f.Height))
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", fl.ID, err)
		}
		t.Lines = append(t.Lines, l)
	}
	t.Zone = f.ROI.toZone(f.Height)
	for i, o := range f.Occupancy {
		counts, err := parseByClass[int](o.all, "")
		if err != nil {
			return nil, fmt.Errorf("occupancy %d: %w", i, err)
		}
		s := Sample{Frame: o.keys.Frame}
		for c, n := range counts {
			s.Count[c] = notCounted
			if n != nil {
				s.Count[c] = *n
			}
		}
		t.Occupancy = append(t.Occupancy, s)
	}
	return t, nil
}

func (fl lineFile) toLine(w, h float64) (Line, error) {
	l := Line{Line: counting.Line{
		ID:   fl.ID,
		From: counting.Point{X: fl.From[0] / w, Y: fl.From[1] / h},
		To:   counting.Point{X: fl.To[0] / w, Y: fl.To[1] / h},
	}}
	err := eachCell(fl.Counts, func(c counting.Class, d counting.Direction, n int) {
		l.Counts[c][d], l.Accept[c][d], l.given[c][d] = n, Range{n, n}, true
	})
	if err != nil {
		return l, err
	}
	err = eachCell(fl.Accept, func(c counting.Class, d counting.Direction, r [2]int) {
		l.Accept[c][d] = Range{r[0], r[1]}
	})
	if err != nil {
		return l, err
	}
	for i, c := range fl.Crossings {
		class, err := counting.ParseClass(c.Class)
		if err != nil {
			return l, fmt.Errorf("crossing %d: %w", i, err)
		}
		dir, err := counting.ParseDirection(c.Direction)
		if err != nil {
			return l, fmt.Errorf("crossing %d: %w", i, err)
		}
		l.Crossings = append(l.Crossings, Crossing{c.Frame, class.WithoutSplit(), dir, c.Marginal})
	}
	return l, nil
}

// eachCell calls set for every value of a table class → direction → value.
func eachCell[V any](m map[string]map[string]V, set func(counting.Class, counting.Direction, V)) error {
	for cs, ds := range m {
		c, err := counting.ParseClass(cs)
		if err != nil {
			return err
		}
		for s, v := range ds {
			d, err := counting.ParseDirection(s)
			if err != nil {
				return err
			}
			set(c.WithoutSplit(), d, v)
		}
	}
	return nil
}
