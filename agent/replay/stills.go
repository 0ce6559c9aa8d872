package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/agent/model"
	"kerb/agent/policy"
	"kerb/agent/source"
	"kerb/agent/terminal"
	"kerb/agent/truth"
	"kerb/counting"
	"kerb/counting/vision"
	"kerb/drivers/camera"
)

// errMotionStill refuses the motion detector for stills.
var errMotionStill = errors.New("motion is seen between pictures, and a still is alone: use a network, with -detector neural")

// stillResult is the object that kerb replay -json prints for one image. Classes has
// person, bicycle and vehicle, and also motorcycle, car and heavy where some were
// counted; these have no truth and are in the count of vehicle, too.
type stillResult struct {
	Image    string                       `json:"image"`
	Detector string                       `json:"detector"`
	Network  string                       `json:"network"`
	MS       float64                      `json:"ms"`
	Region   counting.Polygon             `json:"region"` // in fractions of the picture
	Classes  map[string]truth.StillResult `json:"classes"`
}

// replayStills counts each image by itself and compares the objects in its region
// with the number that a person counted there.
func (r *Command) replayStills(ctx context.Context, known []truth.Still, t terminal.Terminal) error {
	if r.Detector == config.MotionDetector || len(model.Candidates(r.Model)) == 0 {
		return fmt.Errorf("%s: %w", r.Truth, errMotionStill)
	}
	paths, err := ListImages(r.Clips)
	if err != nil {
		return err
	}
	var all []stillResult
	for _, path := range paths {
		i := slices.IndexFunc(known, func(s truth.Still) bool { return s.Image == filepath.Base(path) })
		if i < 0 {
			return fmt.Errorf("%s: %s does not speak of it", path, r.Truth)
		}
		s, err := r.countStill(ctx, path, &known[i])
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, s)
		if r.JSON {
			if err := json.NewEncoder(t.Out).Encode(s); err != nil {
				return err
			}
		}
	}
	if !r.JSON {
		printStills(t.Out, all)
	}
	return nil
}

// ListImages replaces each folder in named by the JPEG files in it, sorted by name,
// and keeps the other paths. A folder without JPEG files is an error.
func ListImages(named []string) (paths []string, err error) {
	for _, c := range named {
		if info, err := os.Stat(c); err != nil || !info.IsDir() {
			paths = append(paths, c)
			continue
		}
		in, err := camera.ListStills(c)
		if err != nil {
			return nil, err
		}
		paths = append(paths, in...)
	}
	return paths, nil
}

// countStill runs the network once on the image at path and compares its counts with
// the truth.
func (r *Command) countStill(ctx context.Context, path string, known *truth.Still) (stillResult, error) {
	out := stillResult{Image: known.Image, Region: known.Zone.Polygon}
	src, err := source.OpenFile(path, source.Limits(policy.ClipPixels))
	if err != nil {
		return out, err
	}
	defer src.Close()
	w, h := src.Size()
	d, err := r.chooseDetector(w, h)
	if err != nil {
		return out, err
	}
	defer d.Close()
	out.Detector, out.Network = d.Kind, d.Name
	c, err := vision.New(src, vision.Opts{Width: w, Height: h, Zones: []counting.Zone{known.Zone}, Classes: counting.AllClasses(), Network: d.Net, Workers: 1})
	if err != nil {
		return out, err
	}
	defer c.Close()
	start := time.Now()
	step, err := c.Step(ctx)
	if err != nil {
		return out, err
	}
	out.MS = float64(time.Since(start).Microseconds()) / 1000
	out.Classes = known.ScoreCounts(step.Zones[0].Count)
	addSplit(out.Classes, step.Zones[0].Count)
	return out, nil
}

// addSplit adds the counts of motorcycle, car and heavy, where there are any, to a
// comparison whose vehicle is the sum of all vehicles.
func addSplit(classes map[string]truth.StillResult, seen [counting.Classes]int) {
	for _, c := range counting.AllClasses() {
		if n := seen[c]; n > 0 && c.WithoutSplit() != c {
			classes[c.String()] = truth.StillResult{Counted: n, Inside: true}
		}
	}
}

// printStills prints a table with a row for each image, and then the errors by class.
// Parts of vehicle, which have no truth, have one column instead of two.
func printStills(w io.Writer, all []stillResult) {
	classes := classesOf(all)
	wide := len("image")
	for _, s := range all {
		wide = max(wide, len(s.Image))
	}
	head := fmt.Sprintf("%-*s", wide, "image")
	for _, c := range classes {
		if c.WithoutSplit() != c {
			head += fmt.Sprintf("  %10s", c)
			continue
		}
		head += fmt.Sprintf("  %8s %-10s", c, "of")
	}
	fmt.Fprintln(w, strings.TrimRight(head, " "))
	for _, s := range all {
		row := fmt.Sprintf("%-*s", wide, s.Image)
		for _, c := range classes {
			v := s.Classes[c.String()]
			if c.WithoutSplit() != c {
				row += fmt.Sprintf("  %10d", v.Counted)
				continue
			}
			of := "?"
			if v.Truth != nil {
				of = fmt.Sprintf("%d (%d–%d)", *v.Truth, v.Accept[0], v.Accept[1])
			}
			row += fmt.Sprintf("  %8d %-10s", v.Counted, of)
		}
		fmt.Fprintln(w, strings.TrimRight(row, " "))
	}
	for _, c := range classes {
		printStillSum(w, c, all)
	}
}

// classesOf lists the classes that at least one image has a result for.
func classesOf(all []stillResult) (classes []counting.Class) {
	for _, c := range counting.AllClasses() {
		if slices.ContainsFunc(all, func(s stillResult) bool { _, ok := s.Classes[c.String()]; return ok }) {
			classes = append(classes, c)
		}
	}
	return classes
}

// printStillSum prints the error of one class over all images, or the number of its
// objects where it is a part of vehicle, for which there is no truth.
func printStillSum(w io.Writer, c counting.Class, all []stillResult) {
	counted, off, of, outside, n := 0, 0, 0, 0, 0
	for _, s := range all {
		v := s.Classes[c.String()]
		counted += v.Counted
		if v.Truth == nil {
			continue
		}
		n++
		off, of = off+v.AbsError, of+*v.Truth
		if !v.Inside {
			outside++
		}
	}
	if whole := c.WithoutSplit(); whole != c {
		fmt.Fprintf(w, "%s: %d of those counted as %s\n", c, counted, whole)
		return
	}
	fmt.Fprintf(w, "%s: off by %d of %d in %d stills, %d outside their range\n", c, off, of, n, outside)
}
