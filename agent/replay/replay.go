package replay

import (
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
	"kerb/agent/model"
	"kerb/agent/source"
	"kerb/agent/terminal"
	"kerb/agent/truth"
	"kerb/counting"
	"kerb/counting/vision"
	"kerb/counting/vision/health"
	"kerb/drivers/camera/scene"
)

type Command struct {
	Truth    string        `help:"Compare with NAME.truth.json: the file, or the folder that holds one for each clip." placeholder:"F"`
	Site     string        `help:"Take lines, zones, masks and heights from this site.toml." placeholder:"F"`
	Camera   string        `help:"Which camera of the site file; the first if not given." placeholder:"NAME"`
	Detector string        `help:"How objects are found: ${enum}." enum:"auto,neural,motion" default:"auto"`
	Model    string        `help:"The network, an ONNX or .kerb file, or street or street-small; empty: the best that is part of kerb." placeholder:"F"`
	Looks    float64       `help:"Let the network look at this many pictures a second, as on a slower device; 0: every one that motion looks at." default:"0"`
	Follow   time.Duration `help:"Longest time an object is followed." default:"60s"`
	FPS      float64       `help:"Look at this many pictures a second; 0: every one." default:"0"`
	Workers  int           `help:"Goroutines that share a picture; 0: one per core, two at most." default:"0"`
	JSON     bool          `help:"One JSON object per clip."`
	Clips    []string      `arg:"" name:"CLIP" help:"Motion-JPEG AVI, .mjpeg, a folder of stills, a still, a .csv recording of loops, scene:NAME, or - for JPEGs on standard input."`
}

// result is what `kerb replay -json` prints for one clip.
type result struct {
	Clip     string  `json:"clip"`
	Frames   int     `json:"frames"`
	Bad      int     `json:"bad_frames,omitempty"`
	Seconds  float64 `json:"seconds"`
	Detector string  `json:"detector"`
	Network  string  `json:"network,omitempty"`
	MS       struct {
		P50 float64 `json:"p50"`
		P95 float64 `json:"p95"`
	} `json:"ms_per_frame"`
	PeakRSS int `json:"peak_rss_mb"`
	// Health is what was wrong with the camera; what crossed meanwhile is left
	// out, as kerb run does.
	Health []faultSpan `json:"health,omitempty"`
	truth.Report
	faulty bool // something is wrong with the camera
	known  bool // there was a truth to compare with
}

func (r *Command) Run(ctx context.Context, t terminal.Terminal) error {
	if r.Site != "" && r.Truth != "" {
		return terminal.UsageError("-site and -truth both give lines: use one of them")
	}
	switch {
	case !(r.FPS >= 0 && r.FPS <= 120):
		return terminal.UsageError(fmt.Sprintf("-fps %g: must be 0–120", r.FPS))
	case r.Workers < 0 || r.Workers > 64:
		return terminal.UsageError(fmt.Sprintf("-workers %d: must be 0–64", r.Workers))
	case r.Follow < 0:
		return terminal.UsageError(fmt.Sprintf("-follow %s: must not be negative", r.Follow))
	case !(r.Looks >= 0 && r.Looks <= 120):
		return terminal.UsageError(fmt.Sprintf("-looks %g: must be 0–120", r.Looks))
	case r.Detector == config.MotionDetector && r.Model != "":
		return terminal.UsageError("-detector motion needs no -model")
	}
	if stills, err := truth.LoadStills(r.Truth); err == nil {
		return r.replayStills(ctx, stills, t)
	}
	for _, clip := range r.Clips {
		if strings.HasSuffix(clip, ".csv") {
			if err := r.replayTrace(ctx, clip, t); err != nil {
				return err
			}
			continue
		}
		res, err := r.replayClip(ctx, clip, t)
		if err != nil {
			return fmt.Errorf("%s: %w", clip, err)
		}
		if r.JSON {
			if err := json.NewEncoder(t.Out).Encode(res); err != nil {
				return err
			}
			continue
		}
		res.printText(t.Out)
	}
	return nil
}

// clip counts one clip.
func (r *Command) replayClip(ctx context.Context, path string, t terminal.Terminal) (*result, error) {
	src, err := source.OpenClip(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	where, err := r.findLayout(path, src)
	if err != nil {
		return nil, err
	}
	w, h := src.Size()
	o := where.visionOpts(w, h)
	o.FollowMax, o.Workers = r.Follow, r.Workers
	if every := (config.Camera{FPS: r.FPS}).FrameInterval(); every > 0 {
		src = &source.RateLimiter{Pictures: src, Interval: every}
	}
	d, err := r.chooseDetector(w, h)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if o.Network = d.Net; r.Looks > 0 {
		o.NetworkInterval = time.Duration(float64(time.Second) / r.Looks)
	}
	o.Health = new(health.Monitor)
	counter, err := vision.New(src, o)
	if err != nil {
		return nil, err
	}
	defer counter.Close()
	return r.countClip(ctx, &result{Clip: filepath.Base(path), Detector: d.Kind, Network: d.Name}, counter, where, t)
}

// chooseDetector makes the detector that was asked for. A recording waits for it.
func (r *Command) chooseDetector(w, h int) (model.Detector, error) {
	return model.Choose(config.Camera{Detector: r.Detector, Model: r.Model}, w, h, max(r.Workers, 1), nil, model.ReadNetwork, model.AcceptAll)
}

// A layout is where to count in a clip, and what is known of it.
type layout struct {
	lines      []counting.Line
	zones      []counting.Zone
	masks      []counting.Polygon
	heights    []counting.Height
	known      *truth.Truth        // nil: nothing to compare with
	knownAtEnd func() *truth.Truth // what only the end of the clip tells; nil: nothing
}

func (p layout) visionOpts(w, h int) vision.Opts {
	return vision.Opts{Width: w, Height: h, Lines: p.lines, Zones: p.zones, Masks: p.masks, Heights: p.heights}
}

// findLayout is found by the truth, by the site file, by the scene itself, or else
// over the two middle lines of the picture.
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
	p := layout{masks: c.Masks, heights: c.Heights}
	for _, l := range c.Lines {
		p.lines = append(p.lines, l.Line)
	}
	for _, z := range c.Zones {
		p.zones = append(p.zones, z.Zone)
	}
	return p, nil
}

// sceneTruth is what the scene knows of the pictures that it drew.
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

// middle is where a clip is counted of which nothing is known.
func MiddleLines() []config.Line {
	classes := []counting.Class{counting.Person, counting.Bicycle, counting.Vehicle}
	return []config.Line{
		{Line: counting.Line{ID: "across", From: counting.Point{X: 0, Y: 0.5}, To: counting.Point{X: 1, Y: 0.5}}, Classes: classes},
		{Line: counting.Line{ID: "along", From: counting.Point{X: 0.5, Y: 0}, To: counting.Point{X: 0.5, Y: 1}}, Classes: classes},
	}
}

// countClip steps through a clip to its end.
func (r *Command) countClip(ctx context.Context, res *result, c *vision.Counter, where layout, t terminal.Terminal) (*result, error) {
	name := res.Clip
	p := terminal.Progress{To: t.Err, What: name}
	var crossings []counting.Crossing
	var seen []truth.Sample
	var ms []float64
	var last time.Duration
	known := where.known
	for {
		begun := time.Now()
		step, err := c.Step(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if source.IsBadPicture(err) {
			fmt.Fprintf(t.Err, "kerb: %s: %v: left out\n", name, err)
			res.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		ms = append(ms, float64(time.Since(begun).Microseconds())/1000)
		res.noteFault(step.Health, step.Mono)
		if !step.Health.Pauses() {
			crossings = append(crossings, step.Crossings...)
		}
		if known != nil {
			frame := int(math.Round(step.Mono.Seconds() * known.Rate))
			seen = append(seen, truth.Sample{Frame: frame, Count: step.Zones[0].Count})
		}
		last = step.Mono
		p.ShowPictures(len(ms))
	}
	p.EraseLine()
	if len(ms) == 0 {
		return nil, errors.New("not one whole picture in it")
	}
	res.summarisePictures(ms, last)
	if where.knownAtEnd != nil {
		known = where.knownAtEnd()
	}
	res.known = known != nil
	if known == nil {
		known = &truth.Truth{Rate: pictureRate(len(ms), last)}
	}
	res.Report = known.ScoreCrossings(crossings, seen)
	return res, nil
}

// faultSpan is a time for which something was wrong with the camera.
type faultSpan struct {
	Fault string  `json:"fault"`
	From  float64 `json:"from_s"` // when it was told
	To    float64 `json:"to_s"`
}

// noteFault notes the verdict of one picture.
func (res *result) noteFault(f counting.ViewFault, at time.Duration) {
	sec := math.Round(at.Seconds()*10) / 10
	if n := len(res.Health); n > 0 && res.Health[n-1].Fault == f.String() && res.faulty {
		res.Health[n-1].To = sec
	} else if f != counting.ViewGood {
		res.Health = append(res.Health, faultSpan{f.String(), sec, sec})
	}
	res.faulty = f != counting.ViewGood
}

func pictureRate(frames int, last time.Duration) float64 {
	if frames < 2 || last <= 0 {
		return 1
	}
	return float64(frames-1) / last.Seconds()
}

func (res *result) summarisePictures(ms []float64, last time.Duration) {
	res.Frames = len(ms)
	res.Seconds = math.Round((last.Seconds()+1/pictureRate(len(ms), last))*100) / 100
	slices.Sort(ms)
	res.MS.P50, res.MS.P95 = ms[len(ms)/2], ms[len(ms)*95/100]
	res.PeakRSS = PeakRSS()
}

// peakRSS is the most memory this process ever had, in MB; 0 if unknown.
func PeakRSS() int {
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
