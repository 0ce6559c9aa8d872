package scene

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Preset is a named set of conditions.
type Preset uint8

// The presets, easiest first.
const (
	Calm  Preset = iota // a bright grey day, few people and cars
	Busy                // sun and shadows, many of everything, groups, a signal
	Windy               // sun and fast clouds, swaying trees, a shaking camera
	Rain                // streaks, wet road, umbrellas, headlights
	Dusk                // low light, lamps and headlights, noise
	Night               // lamp pools, headlights, strong noise
	Jam                 // standing traffic, short green, low sun
)

var presetNames = [...]string{"calm", "busy", "windy", "rain", "dusk", "night", "jam"}

// PresetNames returns the words of all presets.
func PresetNames() []string { return slices.Clone(presetNames[:]) }

// String returns the preset's word in site.toml, such as "busy".
func (p Preset) String() string {
	if int(p) < len(presetNames) {
		return presetNames[p]
	}
	return fmt.Sprintf("preset(%d)", uint8(p))
}

// ParsePreset is the inverse of String. It refuses every other word.
func ParsePreset(s string) (Preset, error) {
	for i, n := range presetNames {
		if n == s {
			return Preset(i), nil
		}
	}
	return 0, fmt.Errorf("scene %q: must be one of %s", s, strings.Join(presetNames[:], ", "))
}

// Light is where the light comes from.
type Light uint8

// The lights.
const (
	Overcast   Light = iota // from the whole sky: no shadows but those of contact
	Sunny                   // direct sun: sharp shadows of people, cars, trees and houses
	Twilight                // a dim sky, lamps and headlights
	Dark                    // lamps and headlights alone
	lightCount              // how many there are
)

// Conditions set the content of a scene and how hard it is to see. Every field
// is a plain number, so that a test can turn one difficulty at a time.
type Conditions struct {
	Light  Light
	Clouds float64 // how far passing clouds cover the sun, 0–1; needs Sunny
	Drift  float64 // slow change of the exposure, as a share of it, 0–0.5
	Steps  float64 // sudden steps of the exposure, per minute, 0–60
	Step   float64 // largest size of such a step, as a share, 0–0.5
	Noise  float64 // standard deviation of a mid-grey pixel, in grey levels, 0–20
	Blocks float64 // coarseness of the compression, in grey levels, 0 (none)–40
	Sway   float64 // amplitude of the camera's sway, as a share of the picture's height, 0–0.015
	Jolts  float64 // knocks to the camera, per minute, 0–60
	Wind   float64 // how far leaves and branches move, 0–1
	Rain   float64 // how hard it rains, 0–1

	// Arrivals per minute, over both directions, 0–240 each.
	People, Bicycles, Motorcycles, Cars, Heavy float64

	Groups float64 // share of people who come in twos to fours, 0–1
	Linger float64 // share of people who stop, turn back or stand, 0–1
	Stray  float64 // share of people who cross the carriageway anywhere, 0–1
	Speed  float64 // speed that drivers want, m/s, 2–30

	Green, Red time.Duration // the signal at the crossing; Red 0: always green

	Crowd Crowd // on the pavement; a scene for alerts
}

var presetConditions = [...]Conditions{
	Calm: {
		Light: Overcast, Drift: 0.04, Noise: 1.5,
		People: 12, Bicycles: 3, Motorcycles: 1, Cars: 10, Heavy: 1,
		Groups: 0.2, Linger: 0.1, Stray: 0.03, Speed: 10,
		Green: 40 * time.Second, Red: 12 * time.Second,
	},
	Busy: {
		Light: Sunny, Clouds: 0.4, Drift: 0.06, Noise: 2, Blocks: 6, Wind: 0.3,
		People: 45, Bicycles: 8, Motorcycles: 4, Cars: 20, Heavy: 4,
		Groups: 0.45, Linger: 0.2, Stray: 0.06, Speed: 9,
		Green: 22 * time.Second, Red: 16 * time.Second,
	},
	Windy: {
		Light: Sunny, Clouds: 1, Drift: 0.1, Steps: 2, Step: 0.15, Noise: 2.5, Blocks: 8,
		Sway: 0.004, Jolts: 3, Wind: 1,
		People: 20, Bicycles: 5, Motorcycles: 2, Cars: 12, Heavy: 3,
		Groups: 0.3, Linger: 0.15, Stray: 0.04, Speed: 10,
		Green: 30 * time.Second, Red: 14 * time.Second,
	},
	Rain: {
		Light: Overcast, Drift: 0.08, Steps: 1, Step: 0.1, Noise: 3, Blocks: 8,
		Sway: 0.001, Wind: 0.4, Rain: 0.7,
		People: 18, Bicycles: 3, Motorcycles: 1, Cars: 16, Heavy: 3,
		Groups: 0.3, Linger: 0.05, Stray: 0.04, Speed: 9,
		Green: 30 * time.Second, Red: 14 * time.Second,
	},
	Dusk: {
		Light: Twilight, Drift: 0.08, Steps: 1, Step: 0.12, Noise: 4.5, Blocks: 8, Sway: 0.0006, Wind: 0.2,
		People: 20, Bicycles: 4, Motorcycles: 2, Cars: 14, Heavy: 2,
		Groups: 0.35, Linger: 0.15, Stray: 0.05, Speed: 10,
		Green: 30 * time.Second, Red: 14 * time.Second,
	},
	Night: {
		Light: Dark, Drift: 0.05, Noise: 6, Blocks: 10, Sway: 0.0006, Wind: 0.2,
		People: 10, Bicycles: 2, Motorcycles: 1, Cars: 9, Heavy: 1,
		Groups: 0.4, Linger: 0.15, Stray: 0.08, Speed: 11,
		Green: 40 * time.Second, Red: 10 * time.Second,
	},
	Jam: {
		Light: Sunny, Clouds: 0.2, Drift: 0.05, Noise: 2, Blocks: 6, Wind: 0.2,
		People: 20, Bicycles: 8, Motorcycles: 4, Cars: 60, Heavy: 10,
		Groups: 0.3, Linger: 0.15, Stray: 0.1, Speed: 7,
		Green: 9 * time.Second, Red: 26 * time.Second,
	},
}

// Conditions returns a copy of the preset's conditions. Callers may change it.
func (p Preset) Conditions() Conditions {
	if int(p) < len(presetConditions) {
		return presetConditions[p]
	}
	return presetConditions[Calm]
}

// checkRanges reports every field that is out of its range.
func (c *Conditions) checkRanges() error {
	var errs []error
	in := func(name string, v, low, high float64) {
		if !(v >= low && v <= high) {
			errs = append(errs, fmt.Errorf("scene: %s = %v: must be %v–%v", name, v, low, high))
		}
	}
	in("light", float64(c.Light), 0, float64(lightCount-1))
	in("clouds", c.Clouds, 0, 1)
	in("drift", c.Drift, 0, 0.5)
	in("steps", c.Steps, 0, 60)
	in("step", c.Step, 0, 0.5)
	in("noise", c.Noise, 0, 20)
	in("blocks", c.Blocks, 0, 40)
	in("sway", c.Sway, 0, 0.015)
	in("jolts", c.Jolts, 0, 60)
	in("wind", c.Wind, 0, 1)
	in("rain", c.Rain, 0, 1)
	in("people", c.People, 0, 240)
	in("bicycles", c.Bicycles, 0, 240)
	in("motorcycles", c.Motorcycles, 0, 240)
	in("cars", c.Cars, 0, 240)
	in("heavy", c.Heavy, 0, 240)
	in("groups", c.Groups, 0, 1)
	in("linger", c.Linger, 0, 1)
	in("stray", c.Stray, 0, 1)
	in("speed", c.Speed, 2, 30)
	in("people of the crowd", float64(c.Crowd.People), 0, maxCrowd)
	in("green in seconds", c.Green.Seconds(), 0, 600)
	in("red in seconds", c.Red.Seconds(), 0, 600)
	return errors.Join(errs...)
}

// ParseOpts reads "PRESET[?key=value&…]", the part after "scene:" in site.toml,
// such as "busy?seed=7&size=640x480&rate=15&frames=600". Keys may come in any
// order. It refuses unknown keys, a key given twice, and values out of the
// range of Opts.
func ParseOpts(s string) (Opts, error) {
	name, query, more := strings.Cut(s, "?")
	p, err := ParsePreset(name)
	if err != nil {
		return Opts{}, err
	}
	o := Opts{Conditions: p.Conditions()}
	seen := map[string]bool{}
	for more {
		var pair string
		pair, query, more = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if seen[key] {
			return Opts{}, fmt.Errorf("scene %q: %s is given twice", s, key)
		}
		seen[key] = true
		if err := o.setOption(key, value); err != nil {
			return Opts{}, fmt.Errorf("scene %q: %w", s, err)
		}
	}
	o.setDefaults()
	return o, o.checkRanges()
}

// setOption sets the option of one key=value pair.
func (o *Opts) setOption(key, value string) (err error) {
	switch key {
	case "seed":
		o.Seed, err = strconv.ParseUint(value, 10, 64)
	case "rate":
		o.Rate, err = strconv.ParseFloat(value, 64)
	case "frames":
		o.Frames, err = strconv.Atoi(value)
	case "size":
		w, h, ok := strings.Cut(value, "x")
		if !ok {
			return fmt.Errorf("size=%s: must be like 480x270", value)
		}
		if o.Width, err = strconv.Atoi(w); err == nil {
			o.Height, err = strconv.Atoi(h)
		}
	case "crowd":
		o.Conditions.Crowd, err = ParseCrowd(value)
	default:
		return fmt.Errorf("key %q: must be one of seed, size, rate, frames, crowd", key)
	}
	if err != nil {
		return fmt.Errorf("%s=%s: %w", key, value, err)
	}
	return nil
}
