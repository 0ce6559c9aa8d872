package supervisor

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"kerb/agent/clock"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/logbook"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/agent/status"
)

// A camera that is away for ten seconds is one event with its reason, and its return
// another one. One that starts, or is aimed, is not lost.
func TestALostCameraIsOneEventAndItsReturnAnother(t *testing.T) {
	book := logbook.New(io.Discard, time.Now)
	s := &Supervisor{
		site: &config.Site{Cameras: []config.Camera{{Name: "north"}}}, policy: policy.Demo(), queue: newQueue(time.Hour, clock.SinceBoot),
		journal: &admission.Journal{}, book: book, log: slog.New(slog.DiscardHandler),
	}
	p := &slot{process: &process.Process{}, heartbeat: &ipc.Heartbeat{Delivering: true}, watcher: &process.Watcher{Name: "sense north"}}
	var got []ipc.CameraLost
	at := func(second int, delivering, aimed bool) {
		p.heartbeat.Delivering, p.aimed, p.changedAt = delivering, aimed, 1
		s.watchCamera(p, time.Duration(second)*time.Second)
	}
	at(1, true, false)
	for n := 2; n < 30; n++ { // aimed for longer than that
		at(n, false, true)
	}
	slog.New(slog.NewTextHandler(book, nil)).Warn("camera lost", "camera", "north", "err", "camera refuses the user: 401")
	for n := 30; n < 60; n++ {
		at(n, false, false)
		if state := s.slotState(p, s.clock.ReadAll()); state != status.Lost {
			t.Fatalf("state %s", state)
		}
		if n == 39 && s.queue.lastNumber != 0 || n == 40 && s.queue.lastNumber != 1 {
			t.Errorf("after %d s: %d events", n-30, s.queue.lastNumber)
		}
	}
	at(60, true, false)
	at(61, true, false)
	for after := uint64(0); after < s.queue.lastNumber; after++ {
		i, _ := s.queue.waitAfter(t.Context(), after)
		got = append(got, *i.records[0].(*ipc.CameraLost))
	}
	want := []ipc.CameraLost{{N: 1, On: true, Why: ipc.CameraLossNumber("login")}, {N: 2}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v", got)
	}
}
