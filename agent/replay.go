package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kerb/agent/config"
	"kerb/agent/truth"
	"kerb/counting"
	"kerb/counting/vision"
)

type replay struct {
	Truth    string        `help:"Compare with NAME.truth.json: the file, or the folder that holds one for each clip." placeholder:"F"`
	Site     string        `help:"Take lines, zones, masks and heights from this site.toml." placeholder:"F"`
	Camera   string        `help:"Which camera of the site file; the first if not given." placeholder:"NAME"`
	Detector string        `help:"How objects are found: ${enum}." enum:"motion" default:"motion"`
	Follow   time.Duration `help:"Longest time an object is followed." default:"60s"`
	FPS      float64       `help:"Look at this many pictures a second; 0: every one." default:"0"`
	Workers  int           `help:"Goroutines that share a picture; 0: one per core, two at most." default:"0"`
	JSON     bool          `help:"One JSON object per clip."`
	Clips    []string      `arg:"" name:"CLIP" help:"Motion-JPEG AVI, .mjpeg, a folder of stills, a still, scene:NAME, or - for JPEGs on standard input."`
}

// result is what `kerb replay -json` prints for one clip.
type result struct {
	Clip     string  `json:"clip"`
	Frames   int     `json:"frames"`
	Bad      int     `json:"bad_frames,omitempty"`
	Seconds  float64 `json:"seconds"`
	Detector string  `json:"detector"`
	MS       struct {
		P50 float64 `json:"p50"`
		P95 float64 `json:"p95"`
	} `json:"ms_per_frame"`
	PeakRSS int `json:"peak_rss_mb"`
	truth.Report
}

func (r *replay) Run(ctx context.Context, t terminal) error {
	if r.Site != "" && r.Truth != "" {
		return usageError("-site and -truth both give lines: use one of them")
	}
	for _, clip := range r.Clips {
		cam, known, err := r.place(clip)
		if err != nil {
			return err
		}
		res, err := r.clip(ctx, clip, cam, known, t)
		if err != nil {
			return fmt.Errorf("%s: %w", clip, err)
		}
		if r.JSON {
			if err := json.NewEncoder(t.out).Encode(res); err != nil {
				return err
			}
			continue
		}
		res.print(t.out, known != nil)
	}
	return nil
}

// place is where to count in a clip: by its truth, by the site file, or over
// the two middle lines of the picture.
func (r *replay) place(clip string) (config.Camera, *truth.Truth, error) {
	switch {
	case r.Truth != "":
		t, err := r.truth(clip)
		if err != nil {
			return config.Camera{}, nil, err
		}
		cam := config.Camera{Zones: []config.Zone{{Zone: t.Zone}}}
		for _, l := range t.Lines {
			cam.Lines = append(cam.Lines, config.Line{Line: l.Line})
		}
		return cam, t, nil
	case r.Site != "":
		site, err := config.Load(r.Site)
		if err != nil {
			return config.Camera{}, nil, err
		}
		i := slices.IndexFunc(site.Cameras, func(c config.Camera) bool { return r.Camera == "" || c.Name == r.Camera })
		if i < 0 {
			return config.Camera{}, nil, usageError(fmt.Sprintf("%s has no camera %q", r.Site, r.Camera))
		}
		return site.Cameras[i], nil, nil
	}
	return config.Camera{Lines: middle()}, nil, nil
}

func (r *replay) truth(clip string) (*truth.Truth, error) {
	path := r.Truth
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		base := filepath.Base(clip)
		path = filepath.Join(path, strings.TrimSuffix(base, filepath.Ext(base))+".truth.json")
	}
	t, err := truth.Load(path)
	if err != nil {
		return nil, fmt.Errorf("read the truth: %w", err)
	}
	return t, nil
}

// middle is where a clip is counted of which nothing is known.
func middle() []config.Line {
	classes := []counting.Class{counting.Person, counting.Bicycle, counting.Vehicle}
	return []config.Line{
		{Line: counting.Line{ID: "across", From: counting.Point{X: 0, Y: 0.5}, To: counting.Point{X: 1, Y: 0.5}}, Classes: classes},
		{Line: counting.Line{ID: "along", From: counting.Point{X: 0.5, Y: 0}, To: counting.Point{X: 0.5, Y: 1}}, Classes: classes},
	}
}

// clip counts one clip.
func (r *replay) clip(ctx context.Context, path string, cam config.Camera, known *truth.Truth, t terminal) (*result, error) {
	src, err := openClip(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if cam.FPS = cmp.Or(r.FPS, cam.FPS); cam.FPS > 0 {
		src = &thinner{source: src, every: cam.Every()}
	}
	w, h := src.Size()
	o := vision.Opts{Width: w, Height: h, Heights: cam.Heights, Masks: cam.Masks, FollowMax: r.Follow, Workers: r.Workers}
	for _, l := range cam.Lines {
		o.Lines = append(o.Lines, l.Line)
	}
	for _, z := range cam.Zones {
		o.Zones = append(o.Zones, z.Zone)
	}
	counter, err := vision.New(src, o)
	if err != nil {
		return nil, err
	}
	defer counter.Close()
	return r.count(ctx, filepath.Base(path), counter, known, t)
}

// count steps through a clip to its end.
func (r *replay) count(ctx context.Context, name string, c *vision.Counter, known *truth.Truth, t terminal) (*result, error) {
	res := &result{Clip: name, Detector: r.Detector}
	p := progress{to: t.err, what: name}
	var crossings []counting.Crossing
	var seen []truth.Sample
	var ms []float64
	var last time.Duration
	for {
		begun := time.Now()
		step, err := c.Step(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if skipped(err) {
			fmt.Fprintf(t.err, "kerb: %s: %v: left out\n", name, err)
			res.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		ms = append(ms, float64(time.Since(begun).Microseconds())/1000)
		crossings = append(crossings, step.Crossings...)
		if known != nil {
			frame := int(math.Round(step.Mono.Seconds() * known.Rate))
			seen = append(seen, truth.Sample{Frame: frame, Count: step.Zones[0].Count})
		}
		last = step.Mono
		p.show(len(ms))
	}
	p.clear()
	if len(ms) == 0 {
		return nil, errors.New("not one whole picture in it")
	}
	res.finish(ms, last)
	if known == nil {
		known = &truth.Truth{Rate: rate(len(ms), last)}
	}
	res.Report = known.Score(crossings, seen)
	return res, nil
}

func rate(frames int, last time.Duration) float64 {
	if frames < 2 || last <= 0 {
		return 1
	}
	return float64(frames-1) / last.Seconds()
}

func (res *result) finish(ms []float64, last time.Duration) {
	res.Frames = len(ms)
	res.Seconds = math.Round((last.Seconds()+1/rate(len(ms), last))*100) / 100
	slices.Sort(ms)
	res.MS.P50, res.MS.P95 = ms[len(ms)/2], ms[len(ms)*95/100]
	res.PeakRSS = peakRSS()
}

// peakRSS is the most memory this process ever had, in MB; 0 if unknown.
func peakRSS() int {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		kb := 0
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return (kb + 512) / 1024
		}
	}
	return 0
}

// print is the result for a person.
func (res *result) print(w io.Writer, known bool) {
	fmt.Fprintf(w, "%s: %d pictures, %.1f s, %s, %.2f ms a picture (95 %%: %.2f), %d MB\n",
		res.Clip, res.Frames, res.Seconds, res.Detector, res.MS.P50, res.MS.P95, res.PeakRSS)
	if !known {
		res.sums(w)
		return
	}
	fmt.Fprintf(w, "  %-14s %-10s %-7s %7s %6s %8s %8s\n", "line", "class", "dir", "counted", "truth", "accept", "matched")
	for _, l := range res.Lines {
		if l.Counted == 0 && l.Accept[1] == 0 {
			continue
		}
		fmt.Fprintf(w, "  %-14s %-10s %-7s %7d %6d %8s %8d\n", l.ID, l.Class, l.Dir, l.Counted, l.Truth,
			fmt.Sprintf("%d–%d", l.Accept[0], l.Accept[1]), l.Matched)
	}
	for _, class := range []string{"person", "bicycle", "vehicle"} {
		if e, o := res.Error[class], res.Occupancy[class]; e.Truth+e.AbsError+e.Extra > 0 || o.Samples > 0 {
			fmt.Fprintf(w, "  %s: off by %d of %d, %d matched, %d extra; occupancy off by %.2f over %d samples\n",
				class, e.AbsError, e.Truth, e.Matched, e.Extra, o.MeanAbsError, o.Samples)
		}
	}
}

// sums prints what was counted where nothing is known to compare it with.
func (res *result) sums(w io.Writer) {
	type cell struct{ line, class, dir string }
	sum := map[cell]int{}
	var order []cell
	for _, e := range res.Crossings {
		c := cell{e.Line, e.Class, e.Dir}
		if sum[c]++; sum[c] == 1 {
			order = append(order, c)
		}
	}
	slices.SortFunc(order, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.class, b.class), cmp.Compare(a.dir, b.dir))
	})
	for _, c := range order {
		fmt.Fprintf(w, "  %-14s %-10s %-7s %7d\n", c.line, c.class, c.dir, sum[c])
	}
	if len(order) == 0 {
		fmt.Fprintln(w, "  nothing crossed a line")
	}
}
