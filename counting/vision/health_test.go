package vision

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"kerb/counting"
	"kerb/counting/neural"
	"kerb/counting/vision/health"
)

// The camera's health is judged by every way of counting: motion, a network with motion,
// and a network that counts zones alone. One of them may serve several Counters in turn, as
// when a camera is opened again.
func TestEveryWayOfCountingJudgesTheCamera(t *testing.T) {
	zone := counting.Zone{ID: "all", Polygon: counting.Polygon{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}, {X: 0, Y: 1}}}
	for _, c := range []struct {
		name   string
		net    bool
		follow time.Duration
	}{{"motion", false, time.Minute}, {"motion without following", false, 0}, {"a network and motion", true, time.Minute}, {"a network alone", true, 0}} {
		t.Run(c.name, func(t *testing.T) {
			var net *neural.Net
			if c.net {
				net = newTinyNetwork(t)
			}
			w := new(health.Monitor)
			src := newStreet(96, 72, 1<<30, func(s *street, dst []byte, _ float64) {
				for i := range 12 {
					s.rect(dst, float64(7*i), float64(5*i%60), float64(7*i+12), float64(5*i%60+9), 40+15*i)
				}
			})
			play := func(seconds int, stuck bool) (last counting.ViewFault) {
				k, err := New(stuckStreet{src, stuck}, Opts{Width: 96, Height: 72, FollowMax: c.follow, Zones: []counting.Zone{zone}, Network: net, Health: w})
				if err != nil {
					t.Fatal(err)
				}
				defer k.Close()
				for range seconds * 12 {
					s, err := k.Step(context.Background())
					if err != nil {
						t.Fatal(err)
					}
					last = s.Health
				}
				return last
			}
			if is := play(63, false); is != counting.ViewGood {
				t.Errorf("a street that lives: %v", is)
			}
			if is := play(40, true); is != counting.ViewFrozen {
				t.Errorf("a picture that stands: %v", is)
			}
			if is := play(66, false); is != counting.ViewGood {
				t.Errorf("it lives again: %v", is)
			}
		})
	}
}

// stuckStreet is a street whose camera may repeat its first picture.
type stuckStreet struct {
	*street
	stuck bool
}

func (s stuckStreet) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	if s.stuck {
		s.rand = rand.New(rand.NewPCG(3, 3))
	}
	return s.street.ReadInto(ctx, dst)
}
