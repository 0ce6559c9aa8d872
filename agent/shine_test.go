package main

import (
	"testing"

	"kerb/agent/clock"
	"kerb/agent/parcel"
	"kerb/agent/policy"
	"kerb/counting/vision/health"
	"kerb/drivers/lamp"
)

func TestTheLampSaysTheWorstThatIsTrue(t *testing.T) {
	s := &supervisor{policy: policy.Demo(), clock: clock.Clock{}}
	p := &post{}
	s.posts = []*post{p}
	check := func(what string, want lamp.Code) {
		t.Helper()
		if got := s.code(); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("no process for the camera", lamp.Fault)
	p.child = &child{}
	check("a camera that has not said anything", lamp.Fault)
	p.alive = &parcel.Alive{Watching: true}
	check("no uplink", lamp.Offline)
	s.speaking = &child{}
	check("an uplink without a broker", lamp.Offline)
	s.online.Store(true)
	check("all is well", lamp.Counting)
	for f := health.Frozen; f.Known(); f++ {
		p.alive = &parcel.Alive{Watching: true, View: uint8(f)}
		check(f.String(), lamp.Unsighted)
		if got := s.well(); got != "counting broker" {
			t.Errorf("%v: well is %q", f, got)
		}
	}
	p.aimed = true
	check("somebody aims it", lamp.Counting)
	p.aimed = false
	p.alive = &parcel.Alive{}
	check("a camera that does not deliver", lamp.Fault)
}
