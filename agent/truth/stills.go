package truth

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"kerb/counting"
)

// Still is one picture with the number of objects that a person counted in its
// Zone.
type Still struct {
	Image  string // its file name
	Zone   counting.Zone
	Count  [counting.Classes]int   // coarse classes; -1: not counted
	Accept [counting.Classes]Range // counts that are accepted as correct
}

// LoadStills reads a file of checked stills. Errors name the file and the
// mistake.
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
	Images []object[stillFile] `json:"images"`
}

// stillFile is one picture of the file, but for its counts.
type stillFile struct {
	Image  string `json:"image"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	ROI    *roi   `json:"occupancy_roi"`
}

// roi is the region in which a file counts: objects whose lower edge is at or
// below a row of pixels.
type roi struct {
	BottomYMin float64 `json:"bottom_y_min"`
}

// toZone is the region as a zone, or the whole picture. It reaches beyond the
// picture, because an object that the lower border cuts stands there.
func (r *roi) toZone(height int) counting.Zone {
	top := 0.0
	if r != nil {
		top = r.BottomYMin / float64(height)
	}
	return counting.Zone{ID: ZoneID, Polygon: counting.Polygon{{X: -1, Y: top}, {X: 2, Y: top}, {X: 2, Y: 2}, {X: -1, Y: 2}}}
}

// ParseStills parses the text of such a file. Unknown keys are ignored.
func ParseStills(b []byte) ([]Still, error) {
	var f stillsFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	if len(f.Images) == 0 {
		return nil, errors.New("holds no images: it is not the truth of stills")
	}
	var stills []Still
	for i, o := range f.Images {
		m := o.keys
		if m.Image == "" || m.Width <= 0 || m.Height <= 0 {
			return nil, fmt.Errorf("image %d: must have a name, and width and height above 0", i)
		}
		s := Still{Image: m.Image, Zone: m.ROI.toZone(m.Height)}
		if err := s.setCounts(o.all); err != nil {
			return nil, fmt.Errorf("image %d: %w", i, err)
		}
		stills = append(stills, s)
	}
	return stills, nil
}

// setCounts sets Count and Accept from the keys that are named by class.
func (s *Still) setCounts(all map[string]json.RawMessage) error {
	counts, err := parseByClass[int](all, "")
	if err != nil {
		return err
	}
	ranges, err := parseByClass[[2]int](all, "_range")
	if err != nil {
		return err
	}
	for c, n := range counts {
		s.Count[c], s.Accept[c] = notCounted, Range{notCounted, notCounted}
		if n == nil {
			continue
		}
		s.Count[c], s.Accept[c] = *n, Range{*n, *n}
		if r := ranges[c]; r != nil {
			s.Accept[c] = Range{r[0], r[1]}
		}
	}
	return nil
}

// StillResult is the result for one class of a still. Truth is nil where the class
// was not counted. AbsError is |counted − truth|; Inside tells whether the
// count is in Accept.
type StillResult struct {
	Counted  int     `json:"counted"`
	Truth    *int    `json:"truth"`
	Accept   *[2]int `json:"accept,omitempty"`
	AbsError int     `json:"abs_error"`
	Inside   bool    `json:"inside"`
}

// ScoreCounts compares the numbers of objects that a counter found in the Zone with
// the truth, by coarse class.
func (s *Still) ScoreCounts(seen [counting.Classes]int) map[string]StillResult {
	out := map[string]StillResult{}
	for _, c := range counting.CoarseClasses() {
		v := StillResult{Counted: addCoarse(seen, c), Inside: true}
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
