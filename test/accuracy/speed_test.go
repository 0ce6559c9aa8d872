package accuracy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"kerb/counting"
	"kerb/counting/vision"
	"kerb/drivers/camera/scene"
)

// speedPair is one vehicle over a line: its true speed and the measured one, m/s.
type speedPair struct{ truth, measured float64 }

// leastSpeed is the speed below which a vehicle over a line starts or stops, so that one number is
// not its speed, m/s.
const leastSpeed = 2

// watchSpeeds counts the road of a drawn street by motion, and pairs each vehicle with its
// truth: same direction, nearest in time, within two seconds.
func watchSpeeds(t *testing.T, seed uint64, minutes float64, o vision.Opts) (pairs []speedPair, crossed int, declared float64) {
	t.Helper()
	const rate = 10
	s, err := scene.New(scene.Opts{Seed: seed, Rate: rate, Frames: int(minutes * 60 * rate)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o.Width, o.Height = s.Size()
	o.Lines, o.FollowMax = s.Lines()[1:2], time.Minute
	if o.Heights != nil {
		o.Heights = s.Heights()
	}
	if o.Distance != nil {
		d := s.Distance()
		o.Distance = &d
	}
	c, err := vision.New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []counting.Crossing
	for {
		step, err := c.Step(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, step.Crossings...)
	}
	truth := s.Truth()
	taken := make([]bool, len(truth))
	for _, x := range all {
		if x.Class.WithoutSplit() != counting.Vehicle {
			continue
		}
		crossed++
		best, near := -1, 2.0
		for i, e := range truth {
			if off := math.Abs(float64(e.Frame)/rate - x.At.Seconds()); !taken[i] && e.Stream == x.Stream && e.Class.WithoutSplit() == counting.Vehicle && e.Dir == x.Dir && off < near {
				best, near = i, off
			}
		}
		if best >= 0 && x.Speed > 0 && truth[best].Speed > leastSpeed {
			taken[best] = true
			pairs = append(pairs, speedPair{truth[best].Speed, x.Speed})
		}
	}
	return pairs, crossed, counting.SpeedError(o.Heights, o.Distance, o.Lines[0])
}

// Two thirds of the speeds lie within the declared error, which is that of one vehicle.
func TestTheSpeedsOfACameraAreAsWrongAsDeclared(t *testing.T) {
	type known struct {
		name string
		o    vision.Opts
	}
	ways, seeds, minutes := []known{{"distance", vision.Opts{Distance: new(counting.Distance)}}}, uint64(2), 1.0
	if os.Getenv("KERB_LONG") != "" {
		ways = append(ways, known{"heights and distance", vision.Opts{Heights: []counting.Height{}, Distance: new(counting.Distance)}})
		seeds, minutes = 8, 10
	}
	b := newTable("street", "known", "declared", "vehicles", "with a speed", "measured/true: median", "two thirds within")
	var all []float64
	for seed := range seeds {
		for _, k := range ways {
			pairs, crossed, declared := watchSpeeds(t, seed, minutes, k.o)
			var ratios, off []float64
			for _, p := range pairs {
				ratios = append(ratios, p.measured/p.truth)
				off = append(off, math.Abs(p.measured/p.truth-1))
				all = append(all, off[len(off)-1]/declared)
			}
			slices.Sort(ratios)
			slices.Sort(off)
			b.row([]string{
				fmt.Sprint(seed), k.name, fmt.Sprintf("%.3f", declared), fmt.Sprint(crossed), fmt.Sprint(len(pairs)),
				fmt.Sprintf("%.3f", quantile(ratios, 0.5)), fmt.Sprintf("%.3f", quantile(off, 2.0/3)),
			})
		}
	}
	b.log(t, "speeds of a camera by motion, on drawn streets")
	slices.Sort(all)
	if q := quantile(all, 2.0/3); len(all) < 10 || q > 1 {
		t.Errorf("of %d speeds two thirds lie within %.2f of the declared error", len(all), q)
	}
}

// quantile is the value below which the share q of the sorted values lies.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
