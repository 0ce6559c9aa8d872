package replay

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kerb/agent/config"
	"kerb/agent/source"
	"kerb/agent/terminal"
	"kerb/agent/truth"
	"kerb/counting"
	"kerb/counting/vision"
	"kerb/drivers/camera/scene"
)

// A layout holds the lines, zones, masks, heights and distance with which a clip is counted,
// and the truth about it.
type layout struct {
	lines      []counting.Line
	zones      []counting.Zone
	masks      []counting.Polygon
	heights    []counting.Height
	distance   *counting.Distance
	known      *truth.Truth        // nil: without truth
	knownAtEnd func() *truth.Truth // truth that exists only after the last picture; nil: none
}

// visionOpts returns the counter's options for pictures of w×h pixels. Every class
// may be counted.
func (p layout) visionOpts(w, h int) vision.Opts {
	return vision.Opts{Width: w, Height: h, Lines: p.lines, Zones: p.zones, Masks: p.masks, Heights: p.heights, Distance: p.distance, Classes: counting.AllClasses()}
}

// findLayout takes the layout from the file of -truth or -site, from the scene
// itself, or else uses the two middle lines of the picture.
func (r *Command) findLayout(clip string, src source.Pictures) (layout, error) {
	switch street, drawn := src.(*scene.Scene); {
	case r.Truth != "":
		return r.layoutFromTruth(clip)
	case r.Site != "":
		return r.layoutFromSite()
	case drawn:
		return layout{lines: street.Lines(), heights: street.Heights(), knownAtEnd: func() *truth.Truth { return sceneTruth(street) }}, nil
	}
	var p layout
	for _, l := range MiddleLines() {
		p.lines = append(p.lines, l.Line)
	}
	return p, nil
}

// layoutFromTruth reads the truth file of a clip. Where -truth names a folder, the
// file is NAME.truth.json in it.
func (r *Command) layoutFromTruth(clip string) (layout, error) {
	path := r.Truth
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		base := filepath.Base(clip)
		path = filepath.Join(path, strings.TrimSuffix(base, filepath.Ext(base))+".truth.json")
	}
	t, err := truth.Load(path)
	if err != nil {
		return layout{}, fmt.Errorf("read the truth: %w", err)
	}
	p := layout{zones: []counting.Zone{t.Zone}, known: t}
	for _, l := range t.Lines {
		p.lines = append(p.lines, l.Line)
	}
	return p, nil
}

// layoutFromSite takes the layout of the camera of -camera, or of the first camera.
func (r *Command) layoutFromSite() (layout, error) {
	site, err := config.Load(r.Site)
	if err != nil {
		return layout{}, err
	}
	i := slices.IndexFunc(site.Cameras, func(c config.Camera) bool { return r.Camera == "" || c.Name == r.Camera })
	if i < 0 {
		return layout{}, terminal.UsageError(fmt.Sprintf("%s has no camera %q", r.Site, r.Camera))
	}
	c := site.Cameras[i]
	p := layout{masks: c.Masks, heights: c.Heights, distance: c.Distance}
	for _, l := range c.Lines {
		p.lines = append(p.lines, l.Line)
	}
	for _, z := range c.Zones {
		p.zones = append(p.zones, z.Zone)
	}
	return p, nil
}

// sceneTruth returns the crossings of the pictures that the scene has drawn so far.
func sceneTruth(s *scene.Scene) *truth.Truth {
	t := &truth.Truth{Rate: s.Rate()}
	for _, l := range s.Lines() {
		line := truth.Line{Line: l}
		for _, e := range s.Truth() {
			if e.Stream != l.ID {
				continue
			}
			c := e.Class.WithoutSplit()
			line.Counts[c][e.Dir]++
			line.Crossings = append(line.Crossings, truth.Crossing{Frame: e.Frame, Class: c, Dir: e.Dir})
		}
		for c, dirs := range line.Counts {
			for d, n := range dirs {
				line.Accept[c][d] = truth.Range{Min: n, Max: n}
			}
		}
		t.Lines = append(t.Lines, line)
	}
	return t
}

// MiddleLines returns two lines through the middle of the picture, one horizontal
// ("across") and one vertical ("along"), for a clip without a layout. Both count
// people, bicycles and vehicles.
func MiddleLines() []config.Line {
	classes := counting.CoarseClasses()
	return []config.Line{
		{Line: counting.Line{ID: "across", From: counting.Point{X: 0, Y: 0.5}, To: counting.Point{X: 1, Y: 0.5}}, Classes: classes},
		{Line: counting.Line{ID: "along", From: counting.Point{X: 0.5, Y: 0}, To: counting.Point{X: 0.5, Y: 1}}, Classes: classes},
	}
}
