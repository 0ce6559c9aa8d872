package sensor

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/source"
	"kerb/counting"
)

// slowSource delivers the pictures of a scene and says that only key frames are decoded
// from the tenth on.
type slowSource struct {
	source.Pictures
	read atomic.Int32
}

func (s *slowSource) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	s.read.Add(1)
	return s.Pictures.ReadInto(ctx, dst)
}

func (s *slowSource) KeyFramesOnly() bool { return s.read.Load() >= 10 }

// On a device that decodes key frames only, a line's window has that reason and a zone
// is counted on, by the network. With the detector motion neither is.
func TestOnlyZonesCountOnADeviceThatDecodesKeyFramesOnly(t *testing.T) {
	for _, detector := range []string{"motion", "neural"} {
		c := config.Camera{
			Name: "north", Detector: detector, Model: "street",
			Lines: []config.Line{{Line: counting.Line{ID: "kerb", From: counting.Point{X: 0, Y: 0.5}, To: counting.Point{X: 1, Y: 0.5}}, Classes: []counting.Class{counting.Person}}},
			Zones: []config.Zone{{Zone: counting.Zone{ID: "plaza", Polygon: []counting.Point{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}, {X: 0, Y: 1}}}, Classes: []counting.Class{counting.Person}}},
		}
		s := NewCamera(c, policy.Demo(), nil, clock.SinceBoot, slog.New(slog.DiscardHandler))
		s.Open = func(context.Context) (source.Pictures, error) {
			p, err := source.OpenScene("calm", true)
			return &slowSource{Pictures: p}, err
		}
		begun := clock.SinceBoot()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.Run(ctx)
		}()
		for end := time.Now().Add(time.Minute); s.Pictures.Load() < 20 && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		now, at := clock.SinceBoot(), time.Unix(1e9, 0)
		ws := s.CloseWindow(now, at, at.Add(now-begun), now-begun)
		stop()
		<-ended
		if s.Pictures.Load() < 20 || !s.KeysOnly.Load() {
			t.Fatalf("%s: %d pictures, key frames only: %v", detector, s.Pictures.Load(), s.KeysOnly.Load())
		}
		line, zone := ws[0], ws[1]
		if line.Quality == counting.OK || line.Reason != counting.ReasonKeyFrames {
			t.Errorf("%s: the line's window is %v %v", detector, line.Quality, line.Reason)
		}
		if more := zone.Observed > line.Observed; more != (detector == "neural") {
			t.Errorf("%s: the zone was observed for %v, the line for %v", detector, zone.Observed, line.Observed)
		}
	}
}
