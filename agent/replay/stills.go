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

// errMotionStill is why the motion detector refuses stills.
var errMotionStill = errors.New("motion is seen between pictures, and a still is alone: use a network, with -detector neural")

// stillResult is what `kerb replay -json` prints for one image.
type stillResult struct {
	Image    string                       `json:"image"`
	Detector string                       `json:"detector"`
	Network  string                       `json:"network"`
	MS       float64                      `json:"ms"`
	Region   counting.Polygon             `json:"region"` // in fractions of the picture
	Classes  map[string]truth.StillResult `json:"classes"`
}

// replayStills looks at every image on its own and compares what stands in its
// region with what a person counted there.
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

// images are the stills that a command line names, folders opened.
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
	c, err := vision.New(src, vision.Opts{Width: w, Height: h, Zones: []counting.Zone{known.Zone}, Network: d.Net, Workers: 1})
	if err != nil {
		return out, err
	}
	defer c.Close()
	begun := time.Now()
	step, err := c.Step(ctx)
	if err != nil {
		return out, err
	}
	out.MS = float64(time.Since(begun).Microseconds()) / 1000
	out.Classes = known.ScoreCounts(step.Zones[0].Count)
	return out, nil
}

// printStills is the result for a person.
func printStills(w io.Writer, all []stillResult) {
	classes := []string{"person", "bicycle", "vehicle"}
	wide := len("image")
	for _, s := range all {
		wide = max(wide, len(s.Image))
	}
	head := fmt.Sprintf("%-*s", wide, "image")
	for _, c := range classes {
		head += fmt.Sprintf("  %8s %-10s", c, "of")
	}
	fmt.Fprintln(w, strings.TrimRight(head, " "))
	for _, s := range all {
		row := fmt.Sprintf("%-*s", wide, s.Image)
		for _, c := range classes {
			v := s.Classes[c]
			of := "?"
			if v.Truth != nil {
				of = fmt.Sprintf("%d (%d–%d)", *v.Truth, v.Accept[0], v.Accept[1])
			}
			row += fmt.Sprintf("  %8d %-10s", v.Counted, of)
		}
		fmt.Fprintln(w, strings.TrimRight(row, " "))
	}
	for _, c := range classes {
		off, of, outside, n := 0, 0, 0, 0
		for _, s := range all {
			if v := s.Classes[c]; v.Truth != nil {
				n++
				off, of = off+v.AbsError, of+*v.Truth
				if !v.Inside {
					outside++
				}
			}
		}
		fmt.Fprintf(w, "%s: off by %d of %d in %d stills, %d outside their range\n", c, off, of, n, outside)
	}
}
