package supervisor

import (
	"log/slog"
	"testing"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/process"
	"kerb/counting/vision/health"
)

// The state tells of a fault only when the event does.
func TestACameraFaultReachesTheUplink(t *testing.T) {
	site := &config.Site{Cameras: []config.Camera{{Name: "north"}}}
	s := &Supervisor{Site: site, Out: NewOutbox(), Book: &admission.Book{}, Log: slog.New(slog.DiscardHandler)}
	s.Posts = []*Post{{Alive: &ipc.Alive{View: uint8(health.Moved), Watching: true}, Child: &process.Child{}}}
	m := &ipc.View{Fault: uint8(health.Moved), On: true}
	known := func() (f health.Fault) {
		for _, m := range s.News() {
			if a, ok := m.(*ipc.Alive); ok {
				f = health.Fault(a.View)
			}
		}
		return f
	}
	if f := known(); f != health.Good {
		t.Errorf("the uplink knows of %v before it was told", f)
	}
	if err := s.HeardSense(s.Posts[0], nil, m); err != nil {
		t.Fatal(err)
	}
	if f := known(); f != health.Moved {
		t.Errorf("the uplink knows of %v", f)
	}
	if err := s.HeardSense(&Post{Number: 1}, nil, &ipc.View{Fault: 1}); err == nil {
		t.Error("the loops have a camera's fault")
	}
	i, ok := s.Out.After(t.Context(), 0)
	if v, isView := i.Ms[0].(*ipc.View); !ok || !isView || !v.On {
		t.Errorf("the uplink is told %+v", i)
	}
}
