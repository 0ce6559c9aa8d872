package scene

import (
	"context"
	"testing"

	"kerb/counting"
)

// A script replaces all traffic: the truth has the crossings of its actors, and no others.
func TestActorsFollowTheirScript(t *testing.T) {
	s, err := New(Opts{Seed: 3, Rate: 10, Frames: 80, Conditions: Jam.Conditions(), Boxes: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	drive := func(heading, speed float64) Way {
		return func(seconds float64) (Place, bool) {
			y := s.LineY() - heading*10 + heading*speed*seconds
			return Place{X: s.LaneX(heading), Y: y, Heading: heading}, seconds >= 1
		}
	}
	s.FollowScript([]Actor{
		{Body: Bus, Length: 18, Way: drive(-1, 4)},
		{Body: Saloon, Way: drive(1, 4)},
		{Body: Saloon, Way: drive(1, 0)},
	})
	picture := make([]byte, 480*270)
	for frame := 0; ; frame++ {
		if _, err := s.ReadInto(context.Background(), picture); err != nil {
			break
		}
		if n := len(s.Boxes(nil)); frame < 10 && n > 0 {
			t.Fatalf("picture %d: %d objects before the first is there", frame, n)
		}
	}
	got := s.Truth()
	if len(got) != 2 || got[0].Class != counting.Heavy || got[0].Dir != counting.AToB || got[1].Class != counting.Car || got[1].Dir != counting.BToA {
		t.Fatalf("truth = %+v; want the bus towards the camera, then one car away from it", got)
	}
	if v := got[1].Speed; v < 3.9 || v > 4.1 {
		t.Errorf("the car crosses at %.2f m/s; want 4", v)
	}
}
