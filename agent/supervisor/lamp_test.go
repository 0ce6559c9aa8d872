package supervisor

import (
	"testing"

	"kerb/agent/clock"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/counting/vision/health"
	"kerb/drivers/lamp"
)

func TestTheLampSaysTheWorstThatIsTrue(t *testing.T) {
	s := &Supervisor{Policy: policy.Demo(), Clock: clock.Clock{}}
	p := &Post{}
	s.Posts = []*Post{p}
	check := func(what string, want lamp.Code) {
		t.Helper()
		if got := s.Code(); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("no process for the camera", lamp.Fault)
	p.Child = &process.Child{}
	check("a camera that has not said anything", lamp.Fault)
	p.Alive = &ipc.Alive{Watching: true}
	check("no uplink", lamp.Offline)
	s.Speaking = &process.Child{}
	check("an uplink without a broker", lamp.Offline)
	s.Online.Store(true)
	check("all is well", lamp.Counting)
	for f := health.Frozen; f.Known(); f++ {
		p.Alive = &ipc.Alive{Watching: true, View: uint8(f)}
		check(f.String(), lamp.Unsighted)
		if got := s.Well(); got != "counting broker" {
			t.Errorf("%v: well is %q", f, got)
		}
	}
	p.Aimed = true
	check("somebody aims it", lamp.Counting)
	p.Aimed = false
	p.Alive = &ipc.Alive{}
	check("a camera that does not deliver", lamp.Fault)
}
