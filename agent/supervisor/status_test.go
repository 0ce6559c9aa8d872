package supervisor

import (
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/logbook"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/agent/status"
	"kerb/counting"
)

// newStatusTest makes a supervisor of two cameras, and the log of its processes.
func newStatusTest() (*Supervisor, *slog.Logger) {
	site := &config.Site{Cameras: []config.Camera{{Name: "north"}, {Name: "south"}}}
	book := logbook.New(io.Discard, time.Now)
	s := &Supervisor{site: site, policy: policy.Demo(), clock: clock.Clock{Floor: time.Unix(0, 0)}, queue: newQueue(time.Hour, clock.SinceBoot), book: book}
	for i := range site.Cameras {
		s.slots = append(s.slots, &slot{number: i, watcher: &process.Watcher{Name: "sense " + site.Cameras[i].Name}})
	}
	return s, slog.New(slog.NewTextHandler(book, nil))
}

func TestAStatusTellsRatesAndReasonsAndNoCount(t *testing.T) {
	s, log := newStatusTest()
	north, south := s.slots[0], s.slots[1]
	north.process, south.process = &process.Process{}, &process.Process{}
	const exact = 424242 // a number that changes with what passes
	for i := range 25 {
		north.setHeartbeat(&ipc.Heartbeat{
			Pictures: uint64(80 * i / 10), Dropped: exact, Delivering: true, ViewFault: uint8(counting.ViewDark),
			Detection: ipc.Detection{Detector: ipc.NeuralDetector, Looks: 75},
		}, time.Duration(i)*time.Second)
	}
	south.setHeartbeat(&ipc.Heartbeat{Pictures: 1}, time.Second)
	log.Warn("camera lost", "camera", "south", "err", "camera refuses the user or the password")
	d := s.describeDevice()
	if n := d.Cameras[0]; n.State != status.Counting || n.Rate < 7.5 || n.Rate > 8.5 || n.Detector != "neural" || n.LookRate != 7.5 || n.View != counting.ViewDark.String() {
		t.Errorf("north: %+v", n)
	}
	if c := d.Cameras[1]; c.State != status.Lost || c.Why != "camera refuses the user or the password" {
		t.Errorf("south: %+v", c)
	}
	text, err := json.Marshal(d)
	if err != nil || strings.Contains(string(text), "424242") {
		t.Errorf("%s, %v", text, err)
	}
	log.Info("camera open", "camera", "south")
	south.setHeartbeat(&ipc.Heartbeat{Delivering: true, Pictures: 1}, 2*time.Second)
	if c := s.describeDevice().Cameras[1]; c.State != status.Counting || c.Why != "" {
		t.Errorf("south again: %+v", c)
	}
	north.aimed = true
	if c := s.describeDevice().Cameras[0]; c.State != status.Aimed {
		t.Errorf("north while it is aimed: %+v", c)
	}
}

func TestAnUplinkThatIsNotThereIsNoAnswer(t *testing.T) {
	s, _ := newStatusTest()
	lines := s.answerQuery(&ipc.Query{What: ipc.QueryStatus})
	if len(lines) != 2 || string(lines[1]) != unanswered {
		t.Errorf("%q", lines)
	}
	if lines := s.answerQuery(&ipc.Query{What: ipc.QueryLog}); len(lines) != 1 || !json.Valid(lines[0]) {
		t.Errorf("%q", lines)
	}
}

func TestTheStartMessageNamesWhatIsWaitedFor(t *testing.T) {
	s, _ := newStatusTest()
	if got := startMessage(s.listWaiting()); got != "all processes run; waiting for camera north, camera south, broker" {
		t.Errorf("%q", got)
	}
	for _, p := range s.slots {
		p.process, p.heartbeat = &process.Process{}, &ipc.Heartbeat{Delivering: true}
	}
	s.publisherProcess = &process.Process{}
	s.online.Store(true)
	if got := startMessage(s.listWaiting()); got != "all processes run" {
		t.Errorf("%q", got)
	}
}
