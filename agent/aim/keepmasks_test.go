package aim

import (
	"testing"
	"time"
)

// Where the policy requires masks, what they cover stays covered until others are saved.
func TestAPlanThatIsTriedShowsNothingThatARequiredMaskCovers(t *testing.T) {
	for _, keep := range []bool{true, false} {
		s := New(Opts{
			KeepMasks: keep, Plan: Plan{Masks: []Mask{{Polygon: []Point{{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}}}},
			CheckPlan: func(Plan) []Complaint { return []Complaint{{Want: "a mask"}} }, AnnounceCode: func(string, string) {}, LogAction: func(string, string) {},
			Now: func() time.Duration { return 0 }, Until: 1 << 40,
		})
		<-s.LayoutUpdates()
		if _, err := s.tryPlan(nil, []byte(`{"lines":[],"zones":[],"masks":[],"heights":[]}`)); err != nil {
			t.Fatal(err)
		}
		want := 0
		if keep {
			want = 1
		}
		if l := <-s.LayoutUpdates(); int(l.NMasks) != want {
			t.Errorf("required %t: %d masks in the sketch, want %d", keep, l.NMasks, want)
		}
	}
}
