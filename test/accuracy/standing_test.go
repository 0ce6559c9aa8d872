package accuracy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"kerb/agent/model"
	"kerb/agent/policy"
	"kerb/counting"
	"kerb/counting/neural"
	"kerb/counting/neural/nets"
	"kerb/counting/vision"
	"kerb/drivers/camera/scene"
)

// standingCheck compares who stands with who is seen to, in the pictures in which as many
// are seen as there are: how many a detector finds is another matter.
type standingCheck struct{ present, stands, seen, all, found float64 }

func (k *standingCheck) add(present, standing, found, seen int) {
	k.all, k.found = k.all+float64(present), k.found+float64(found)
	if present == found {
		k.present, k.stands, k.seen = k.present+float64(present), k.stands+float64(standing), k.seen+float64(seen)
	}
}

// ownNetwork is the network in this program, for pictures of w×h.
func ownNetwork(t *testing.T, w, h int) *neural.Net {
	t.Helper()
	f, err := model.Decode(nets.ReadNet(nets.Street))
	if err != nil {
		t.Fatal(err)
	}
	inW, inH := vision.FitInput(w, h, max(f.Input[0], f.Input[1]))
	net, err := neural.Load(f.ONNX, nets.Street, neural.Opts{Shapes: map[string][]int{"images": {1, 1, inH, inW}}, Int8: f.Ranges})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(net.Close)
	return net
}

// watchStanding returns who stands in the zones of a drawn street, in truth and as motion,
// or the network, sees it: people and vehicles.
func watchStanding(t *testing.T, preset scene.Preset, minutes float64, network bool) (checks [2]standingCheck) {
	t.Helper()
	const rate = 10
	s, err := scene.New(scene.Opts{Seed: 1, Rate: rate, Frames: int(minutes * 60 * rate), Conditions: preset.Conditions()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w, h := s.Size()
	o := vision.Opts{Width: w, Height: h, Zones: s.Zones(), FollowMax: time.Minute, Heights: s.Heights(), NetworkInterval: 250 * time.Millisecond}
	if network {
		o.Network = ownNetwork(t, w, h)
	}
	c, err := vision.New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for {
		step, err := c.Step(context.Background())
		if errors.Is(err, io.EOF) {
			return checks
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, z := range step.Zones {
			present, standing := s.PresentIn(i), s.StandingIn(i)
			for k, classes := range [2][]counting.Class{{counting.Person}, {counting.Vehicle, counting.Motorcycle, counting.Car, counting.Heavy}} {
				var a, b, x, y int
				for _, class := range classes {
					a, b, x, y = a+present[class], b+standing[class], x+z.Count[class], y+z.Standing[class]
				}
				checks[k].add(a, b, x, y)
			}
		}
	}
}

func TestWhoStandsOnDrawnStreets(t *testing.T) {
	presets, minutes := []scene.Preset{scene.Jam}, 0.7
	if os.Getenv("KERB_LONG") != "" {
		presets, minutes = []scene.Preset{scene.Calm, scene.Jam}, 10
	}
	b := newTable("street", "detector", "who", "found of those there", "of these stand", "are seen to stand")
	for _, preset := range presets {
		for _, detector := range []string{"motion", "network"} {
			checks := watchStanding(t, preset, minutes, detector == "network")
			for k, who := range []string{"people", "vehicles"} {
				c := checks[k]
				b.row([]string{preset.String(), detector, who, percent(c.found / max(c.all, 1)), percent(c.stands / max(c.present, 1)), percent(c.seen / max(c.present, 1))})
				if detector == "network" && (c.present < 50 || math.Abs(c.stands-c.seen)/c.present > 0.25) {
					t.Errorf("%v, %s: of %.0f in all pictures %.0f stand, %.0f are seen to", preset, who, c.present, c.stands, c.seen)
				}
			}
		}
	}
	b.log(t, "who stands in the zones of drawn streets, in the pictures in which all are found")
}

func TestHowMuchNoiseCostsStanding(t *testing.T) {
	const draws = 400
	for _, people := range []time.Duration{0, 5, 50} {
		b := newTable("number", "ε = 0.5", "ε = 1", "ε = 2")
		rows := map[string][]string{}
		last := map[string]float64{}
		for _, epsilon := range []float64{0.5, 1, 2} {
			p, err := policy.Parse("policy.toml", []byte(strings.Replace(noisePolicy(epsilon, 0), `["loop"]`, `["zone"]`, 1)+"count.quantities = [\"standing\"]\ncamera.follow_max = \"30s\"\n"))
			if err != nil {
				t.Fatal(err)
			}
			y := counting.Tally{
				Stream: "plaza", Kind: counting.ZoneStream, Start: monday, End: monday.Add(p.Window()), Mono: time.Hour, Observed: p.Window(),
				Measures: counting.QuantitiesOf(counting.ZoneStream),
			}
			y.Counted[counting.Vehicle] = true
			y.Presence[counting.Vehicle], y.Peak[counting.Vehicle] = people*p.Window(), uint32(people)
			y.Traffic.FollowedOver, y.Traffic.Stood[counting.Vehicle], y.Traffic.Moved[counting.Vehicle] = p.Window(), people*p.Window()*3/5, people*p.Window()*2/5
			wrong := map[string]*mean{"mean": {}, "peak": {}, "standing": {}, "moving": {}}
			for range draws {
				r, err := p.Clear(y)
				if err != nil {
					t.Fatal(err)
				}
				c, f := r.Cells()[0], r.Figures()[0].Numbers
				wrong["mean"].add(math.Abs(c.Mean - float64(people)))
				wrong["peak"].add(math.Abs(float64(c.Peak) - float64(people)))
				wrong["standing"].add(math.Abs(float64(*f[0])/10 - float64(people)*3/5))
				wrong["moving"].add(math.Abs(float64(*f[1])/10 - float64(people)*2/5))
			}
			for name, w := range wrong {
				rows[name] = append(rows[name], fmt.Sprintf("%.2f", w.value()))
				if before, ok := last[name]; ok && w.value() > before {
					t.Errorf("%d there, %s: mean error %.2f at ε = %g, %.2f with more noise", people, name, w.value(), epsilon, before)
				}
				last[name] = w.value()
			}
		}
		for _, name := range []string{"mean", "peak", "standing", "moving"} {
			b.row(append([]string{name}, rows[name]...))
		}
		b.log(t, fmt.Sprintf("mean error with %d in a zone, in a window of 15 min", people))
	}
}
