// Package replay counts recordings as fast as they can be read and compares the
// counts with the truth: clips and the built-in scenes with counting/vision, single
// stills with a neural network, and recordings of loop edges with counting/loop.
// It prints each result as text or as one JSON object.
//
// A clip runs through the same detector, counter and watch of the camera as in kerb
// run, and crossings during a fault of the camera are left out, too. No policy is
// applied: the numbers are neither rounded nor noised.
//
// The package refuses network and programs, stores no result, and refuses stills
// with the motion detector, which needs two pictures.
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
)

// Command is kerb replay with its flags. At most one of Truth and Site may be given.
type Command struct {
	Truth    string        `help:"Compare with NAME.truth.json: the file, or the folder that holds one for each clip." placeholder:"F"`
	Site     string        `help:"Take lines, zones, masks and heights from this site.toml." placeholder:"F"`
	Camera   string        `help:"Which camera of the site file; the first if not given." placeholder:"NAME"`
	Detector string        `help:"How objects are found: ${enum}." enum:"auto,neural,motion" default:"auto"`
	Model    string        `help:"The network, an ONNX or .kerb file, or street-large, street or street-small; empty: the best that is part of kerb." placeholder:"F"`
	Looks    float64       `help:"Let the network look at this many pictures a second, as on a slower device; 0: every one that motion looks at." default:"0"`
	Follow   time.Duration `help:"Longest time an object is followed." default:"60s"`
	FPS      float64       `help:"Look at this many pictures a second; 0: every one." default:"0"`
	Workers  int           `help:"Goroutines that share a picture; 0: one per core, two at most." default:"0"`
	JSON     bool          `help:"One JSON object per clip."`
	Clips    []string      `arg:"" name:"CLIP" help:"Motion-JPEG AVI, .mjpeg, H.264 in .mp4 or .h264, a folder of stills, a still, a .csv recording of loops, scene:NAME, or - for JPEGs on standard input."`
}

// result is the object that kerb replay -json prints for one clip.
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
	// Health lists the faults of the camera. Crossings during a fault that pauses
	// kerb run are left out.
	Health []faultSpan `json:"health,omitempty"`
	// Counted is the number of crossings by class, over all lines and directions.
	// vehicle includes motorcycle, car and heavy. Classes without crossings are absent.
	Counted      map[string]int `json:"counted"`
	truth.Report                // with motorcycle, car and heavy as vehicle, as truth files count them
	faulty       bool           // the last picture showed a fault
	known        bool           // Report compares with a truth
}

// Run replays the clips in order and stops at the first error. A -truth file of stills
// makes all clips stills.
func (r *Command) Run(ctx context.Context, t terminal.Terminal) error {
	if err := r.checkFlags(); err != nil {
		return err
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

// checkFlags refuses flags that contradict each other and numbers out of range.
func (r *Command) checkFlags() error {
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
	return nil
}

// replayClip counts the clip at path, or the scene of that name.
func (r *Command) replayClip(ctx context.Context, path string, t terminal.Terminal) (*result, error) {
	src, err := source.OpenClip(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	place, err := r.findLayout(path, src)
	if err != nil {
		return nil, err
	}
	w, h := src.Size()
	o := place.visionOpts(w, h)
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
	return r.countClip(ctx, &result{Clip: filepath.Base(path), Detector: d.Kind, Network: d.Name}, counter, place, t)
}

// chooseDetector loads the detector of -detector and -model for pictures of w×h
// pixels. Its speed does not matter, because a recording waits.
func (r *Command) chooseDetector(w, h int) (model.Detector, error) {
	return model.Choose(config.Camera{Detector: r.Detector, Model: r.Model}, w, h, max(r.Workers, 1), nil, model.ReadNetwork, model.AcceptAll)
}

// countClip steps through a clip to its end and fills res. A picture that cannot be
// decoded is reported and left out; a clip without one whole picture is an error.
func (r *Command) countClip(ctx context.Context, res *result, c *vision.Counter, place layout, t terminal.Terminal) (*result, error) {
	name := res.Clip
	p := terminal.Progress{To: t.Err, What: name, Parts: "pictures"}
	var crossings []counting.Crossing
	var seen []truth.Sample
	var ms []float64
	var last time.Duration
	known := place.known
	for {
		start := time.Now()
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
		ms = append(ms, float64(time.Since(start).Microseconds())/1000)
		res.noteFault(step.Health, step.Mono)
		if !step.Health.Pauses() {
			crossings = append(crossings, step.Crossings...)
		}
		if known != nil {
			frame := int(math.Round(step.Mono.Seconds() * known.Rate))
			seen = append(seen, truth.Sample{Frame: frame, Count: step.Zones[0].Count})
		}
		last = step.Mono
		p.ShowCount(len(ms))
	}
	crossings = append(crossings, c.Finish()...)
	p.EraseLine()
	if len(ms) == 0 {
		return nil, errors.New("not one whole picture in it")
	}
	res.summarisePictures(ms, last)
	if place.knownAtEnd != nil {
		known = place.knownAtEnd()
	}
	res.known = known != nil
	if known == nil {
		known = &truth.Truth{Rate: pictureRate(len(ms), last)}
	}
	res.Counted = countByClass(crossings)
	res.Report = known.ScoreCrossings(joinSplit(crossings), seen)
	return res, nil
}

// countByClass counts crossings by class. A class that is a part of another one is
// counted under both names.
func countByClass(crossings []counting.Crossing) map[string]int {
	n := map[string]int{}
	for _, c := range crossings {
		n[c.Class.String()]++
		if whole := c.Class.WithoutSplit(); whole != c.Class {
			n[whole.String()]++
		}
	}
	return n
}

// joinSplit returns the crossings with vehicle, the class of truth files, instead of
// motorcycle, car and heavy.
func joinSplit(crossings []counting.Crossing) []counting.Crossing {
	all := slices.Clone(crossings)
	for i, c := range all {
		all[i].Class = c.Class.WithoutSplit()
	}
	return all
}

// faultSpan is a time during which the camera had one fault, in seconds of the clip.
type faultSpan struct {
	Fault string  `json:"fault"`
	From  float64 `json:"from_s"` // when the fault was detected
	To    float64 `json:"to_s"`
}

// noteFault extends the present span, or begins a new one, by the fault f of the
// picture taken at the given time.
func (res *result) noteFault(f counting.ViewFault, at time.Duration) {
	sec := math.Round(at.Seconds()*10) / 10
	if n := len(res.Health); n > 0 && res.Health[n-1].Fault == f.String() && res.faulty {
		res.Health[n-1].To = sec
	} else if f != counting.ViewGood {
		res.Health = append(res.Health, faultSpan{f.String(), sec, sec})
	}
	res.faulty = f != counting.ViewGood
}

// pictureRate returns the mean number of pictures a second, 1 where it is unknown.
func pictureRate(frames int, last time.Duration) float64 {
	if frames < 2 || last <= 0 {
		return 1
	}
	return float64(frames-1) / last.Seconds()
}

// summarisePictures fills in number, duration, cost of a picture and memory. ms holds
// the cost of each picture in milliseconds and is sorted.
func (res *result) summarisePictures(ms []float64, last time.Duration) {
	res.Frames = len(ms)
	res.Seconds = math.Round((last.Seconds()+1/pictureRate(len(ms), last))*100) / 100
	slices.Sort(ms)
	res.MS.P50, res.MS.P95 = ms[len(ms)/2], ms[len(ms)*95/100]
	res.PeakRSS = PeakRSS()
}

// PeakRSS returns the largest resident memory of this process so far in MiB, rounded
// (VmHWM in /proc/self/status, proc_pid_status(5)); 0 if unknown.
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
