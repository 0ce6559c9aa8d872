package main

import (
	"testing"

	"kerb/agent/clock"
	"kerb/agent/parcel"
	"kerb/agent/policy"
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
	p.alive = &parcel.Alive{}
	check("a camera that does not deliver", lamp.Fault)
}
