package truth

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"kerb/counting"
)

// Still is one picture of which a person counted what stands in its Zone.
type Still struct {
	Image  string // its file name
	Zone   counting.Zone
	Count  [counting.Classes]int   // coarse classes; -1: not counted
	Accept [counting.Classes]Range // what is as good as Count
}

// LoadStills reads a file of checked stills. Errors name the file and what is
// wrong in it.
func LoadStills(path string) ([]Still, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := ParseStills(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

type stillsFile struct {
	Images []struct {
		Image        string  `json:"image"`
		Width        int     `json:"width"`
		Height       int     `json:"height"`
		ROI          *roi    `json:"occupancy_roi"`
		Person       *int    `json:"person"`
		Bicycle      *int    `json:"bicycle"`
		Vehicle      *int    `json:"vehicle"`
		PersonRange  *[2]int `json:"person_range"`
		BicycleRange *[2]int `json:"bicycle_range"`
		VehicleRange *[2]int `json:"vehicle_range"`
	} `json:"images"`
}

// roi is the region in which a file counts: what stands at or below a row.
type roi struct {
	BottomYMin float64 `json:"bottom_y_min"`
}

// toZone is the region, or the whole picture. It reaches past the picture: an
// object cut by its lower edge stands there.
func (r *roi) toZone(height int) counting.Zone {
	top := 0.0
	if r != nil {
		top = r.BottomYMin / float64(height)
	}
	return counting.Zone{ID: ZoneID, Polygon: counting.Polygon{{X: -1, Y: top}, {X: 2, Y: top}, {X: 2, Y: 2}, {X: -1, Y: 2}}}
}

// ParseStills reads the bytes of such a file. Unknown keys are ignored.
func ParseStills(b []byte) ([]Still, error) {
	var f stillsFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	if len(f.Images) == 0 {
		return nil, errors.New("holds no images: it is not the truth of stills")
	}
	var stills []Still
	for i, m := range f.Images {
		if m.Image == "" || m.Width <= 0 || m.Height <= 0 {
			return nil, fmt.Errorf("image %d: must have a name, and width and height above 0", i)
		}
		s := Still{Image: m.Image, Zone: m.ROI.toZone(m.Height)}
		for c := range s.Count {
			s.Count[c], s.Accept[c] = -1, Range{-1, -1}
		}
		s.setCount(counting.Person, m.Person, m.PersonRange)
		s.setCount(counting.Bicycle, m.Bicycle, m.BicycleRange)
		s.setCount(counting.Vehicle, m.Vehicle, m.VehicleRange)
		stills = append(stills, s)
	}
	return stills, nil
}

func (s *Still) setCount(c counting.Class, n *int, accept *[2]int) {
	if n == nil {
		return
	}
	s.Count[c], s.Accept[c] = *n, Range{*n, *n}
	if accept != nil {
		s.Accept[c] = Range{accept[0], accept[1]}
	}
}

// Standing compares one class of a still. Truth is nil where nobody counted.
// AbsError is |counted − truth|; Inside tells whether the count is as good as
// the truth.
type Standing struct {
	Counted  int     `json:"counted"`
	Truth    *int    `json:"truth"`
	Accept   *[2]int `json:"accept,omitempty"`
	AbsError int     `json:"abs_error"`
	Inside   bool    `json:"inside"`
}

// Score compares what was seen in the Zone with the truth, by coarse class.
func (s *Still) Score(seen [counting.Classes]int) map[string]Standing {
	var sums [counting.Classes]int
	for c, n := range seen {
		sums[counting.Class(c).Coarse()] += n
	}
	out := map[string]Standing{}
	for _, c := range coarse {
		v := Standing{Counted: sums[c], Inside: true}
		if n := s.Count[c]; n >= 0 {
			a := s.Accept[c]
			v.Truth, v.Accept = &n, &[2]int{a.Min, a.Max}
			v.AbsError = max(v.Counted-n, n-v.Counted)
			v.Inside = a.Min <= v.Counted && v.Counted <= a.Max
		}
		out[c.String()] = v
	}
	return out
}
