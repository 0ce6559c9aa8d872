package supervisor

import (
	"testing"

	"kerb/agent/clock"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/counting"
	"kerb/drivers/lamp"
)

func TestTheLampSaysTheWorstThatIsTrue(t *testing.T) {
	s := &Supervisor{Policy: policy.Demo(), Clock: clock.Clock{}}
	p := &slot{}
	s.slots = []*slot{p}
	check := func(what string, want lamp.Code) {
		t.Helper()
		if got := s.lampCode(); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("no process for the camera", lamp.Fault)
	p.process = &process.Process{}
	check("a camera that has not said anything", lamp.Fault)
	p.heartbeat = &ipc.Heartbeat{Watching: true}
	check("no uplink", lamp.Offline)
	s.publishing = &process.Process{}
	check("an uplink without a broker", lamp.Offline)
	s.online.Store(true)
	check("all is well", lamp.Counting)
	for f := counting.ViewFrozen; f.IsKnown(); f++ {
		p.heartbeat = &ipc.Heartbeat{Watching: true, View: uint8(f)}
		check(f.String(), lamp.Unsighted)
		if got := s.healthWords(); got != "counting broker" {
			t.Errorf("%v: well is %q", f, got)
		}
	}
	p.aimed = true
	check("somebody aims it", lamp.Counting)
	p.aimed = false
	p.heartbeat = &ipc.Heartbeat{}
	check("a camera that does not deliver", lamp.Fault)
}
