package supervisor

import (
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/counting"
	"kerb/counting/loop"
	"kerb/drivers/lamp"
)

// newLampTest makes a supervisor of one camera, or of two loops, and a check of
// the code that its lamp shows.
func newLampTest(t *testing.T, p *slot) (*Supervisor, func(what string, want lamp.Code)) {
	site := &config.Site{Loops: config.Loops{Lines: make([]config.LoopLine, 2)}}
	s := &Supervisor{site: site, policy: policy.Demo(), clock: clock.Clock{}, queue: newQueue(time.Hour, clock.SinceBoot), slots: []*slot{p}}
	s.stopping.Store(true) // no journal
	return s, func(what string, want lamp.Code) {
		t.Helper()
		if got := s.lampCode(); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
}

func TestTheLampShowsTheMostUrgentCode(t *testing.T) {
	p := &slot{}
	s, check := newLampTest(t, p)
	check("no process for the camera", lamp.Fault)
	p.process = &process.Process{}
	check("a camera without a heartbeat", lamp.Fault)
	p.heartbeat = &ipc.Heartbeat{Delivering: true}
	check("no uplink", lamp.Offline)
	s.publisherProcess = &process.Process{}
	check("an uplink without a broker", lamp.Offline)
	s.online.Store(true)
	check("all is well", lamp.Counting)
	for f := counting.ViewFrozen; f.IsKnown(); f++ {
		p.heartbeat = &ipc.Heartbeat{Delivering: true, ViewFault: uint8(f)}
		check(f.String(), lamp.Unsighted)
		if got := s.healthWords(); got != "counting broker" {
			t.Errorf("%v: well is %q", f, got)
		}
	}
	p.heartbeat = &ipc.Heartbeat{}
	check("a camera that does not deliver", lamp.Fault)
}

func TestTheLampShowsAFailedStore(t *testing.T) {
	p := &slot{process: &process.Process{}, heartbeat: &ipc.Heartbeat{Delivering: true}}
	s, check := newLampTest(t, p)
	for _, c := range []struct {
		heartbeat ipc.Heartbeat
		want      lamp.Code
	}{
		{ipc.Heartbeat{Delivering: true}, lamp.Counting},
		{ipc.Heartbeat{Delivering: true, Busy: true}, lamp.Busy},
		{ipc.Heartbeat{Delivering: true, Busy: true, StoreFault: true}, lamp.Fault},
		{ipc.Heartbeat{Busy: true}, lamp.Offline},
		{ipc.Heartbeat{Delivering: true}, lamp.Counting},
		{ipc.Heartbeat{Delivering: true, StoreFault: true}, lamp.Fault},
		{ipc.Heartbeat{Delivering: true}, lamp.Counting},
	} {
		s.publisherProcess = &process.Process{}
		if err := s.handlePublisherRecord(nil, &c.heartbeat); err != nil {
			t.Fatal(err)
		}
		check("a heartbeat of the uplink", c.want)
	}
}

func TestTheLampShowsAiming(t *testing.T) {
	p := &slot{process: &process.Process{}, heartbeat: &ipc.Heartbeat{}, aimed: true}
	s, check := newLampTest(t, p)
	check("kerb aim has the camera, and no uplink runs", lamp.Aiming)
	if got := s.healthWords(); got != "counting view" {
		t.Errorf("well is %q while kerb aim has the camera", got)
	}
	other := &slot{process: &process.Process{}, heartbeat: &ipc.Heartbeat{Delivering: true, ViewFault: uint8(counting.ViewMoved)}}
	s.slots = append(s.slots, other)
	check("beside a camera with a spoilt view", lamp.Aiming)
	if got := s.healthWords(); got != "counting" {
		t.Errorf("well is %q beside a camera with a spoilt view", got)
	}
	other.process = nil
	check("beside a camera without a process", lamp.Fault)
	p.aimed = false
	s.slots = s.slots[:1]
	check("kerb aim has ended, and the camera is not open yet", lamp.Fault)
}

func TestTheLampShowsAFailedLoop(t *testing.T) {
	p := &slot{
		process: &process.Process{}, heartbeat: &ipc.Heartbeat{Delivering: true},
		streams: []counting.Stream{{ID: "lane", Kind: counting.LoopStream}},
	}
	s, check := newLampTest(t, p)
	s.publisherProcess = &process.Process{}
	s.online.Store(true)
	fault := func(line int, f loop.Fault, on bool) {
		t.Helper()
		if err := s.handleSensorRecord(p, nil, &ipc.LoopFault{Line: uint16(line), FaultBit: uint16(f), On: on}); err != nil {
			t.Fatal(err)
		}
	}
	check("no fault", lamp.Counting)
	fault(0, loop.Drift, true)
	check("a fault under which the loop is counted", lamp.Counting)
	fault(0, loop.StuckOn, true)
	check("a stuck loop", lamp.Fault)
	if got := s.healthWords(); got != "counting view broker" {
		t.Errorf("well is %q with a stuck loop", got)
	}
	fault(1, loop.Silent, true)
	fault(0, loop.StuckOn, false)
	check("the other loop is silent", lamp.Fault)
	fault(1, loop.Chatter, true)
	fault(1, loop.Silent, false)
	check("it chatters", lamp.Fault)
	fault(1, loop.Chatter, false)
	check("both are counted again", lamp.Counting)
	fault(7, loop.StuckOn, true)
	check("a line that the site does not have", lamp.Counting)
	fault(1, loop.Relay, true)
	s.handleSensorExit(p, ipc.LostEnded)
	p.process = &process.Process{}
	check("a new process has no fault yet", lamp.Counting)
}
