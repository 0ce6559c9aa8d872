package publisher

import (
	"encoding/hex"
	"strings"
	"sync"

	"kerb/agent/admission"
	"kerb/agent/audit"
	"kerb/agent/cage"
	"kerb/agent/child"
	"kerb/agent/config"
	"kerb/agent/hardware"
	"kerb/agent/ipc"
	"kerb/counting"
)

// deviceState collects the latest reports of all processes for the state message.
// Its methods may be called from several goroutines: records set it, and the
// uplink reads it.
type deviceState struct {
	site    *config.Site
	journal admission.Journal // without a log: reports the policy alone

	detectors  DetectorReport
	mu         sync.Mutex
	auditHead  audit.Head      // of the supervisor's audit log
	want       *ipc.WantResult // of the files that a platform wants; nil: none was examined
	board      *ipc.Board
	wallNames  []cage.Wall // of ownWalls and walls, in their order
	ownWalls   *ipc.Walls
	walls      map[int]*ipc.Walls     // by sensor, and ipc.SupervisorSensor and ipc.DecoderSensor
	heartbeats map[int]*ipc.Heartbeat // by sensor
}

func newDeviceState(site *config.Site, d admission.Decision) *deviceState {
	return &deviceState{site: site, journal: admission.Journal{Decision: d}, walls: map[int]*ipc.Walls{}, heartbeats: map[int]*ipc.Heartbeat{}}
}

// setOwnWalls sets the walls of this process, and the names of all walls.
func (s *deviceState) setOwnWalls(r cage.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wallNames, s.ownWalls = r.Walls, child.PackWalls(r)
}

// setHeartbeat sets the latest heartbeat of a sensor. It reports whether watching
// changed.
func (s *deviceState) setHeartbeat(sensor int, h *ipc.Heartbeat) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.heartbeats[sensor]
	s.heartbeats[sensor] = h
	return before == nil || before.Delivering != h.Delivering
}

// setWalls sets the walls of a sensor's process, or of ipc.SupervisorSensor or
// ipc.DecoderSensor.
func (s *deviceState) setWalls(sensor int, w *ipc.Walls) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.walls[sensor] = w
}

// setAuditHead sets the head of the audit log, which the supervisor writes.
func (s *deviceState) setAuditHead(m *ipc.AuditHead) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auditHead = audit.Head{Seq: m.Seq, Sum: hex.EncodeToString(m.Sum[:])}
}

// setWant sets what became of the files that a platform wants.
func (s *deviceState) setWant(m *ipc.WantResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.want = m
}

// setBoard sets the condition of the board.
func (s *deviceState) setBoard(m *ipc.Board) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.board = m
}

// report returns the member "agent" of the state message: "policy", "audit",
// "board", "config" (site.toml, and what became of the files that a platform wants), and "walls" and "sensors" by process. Parts and processes that no
// record has reported yet are left out.
func (s *deviceState) report() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.journal.StateReport()
	if s.auditHead.Seq > 0 {
		out["audit"] = s.auditHead
	}
	if s.board != nil {
		out["board"] = hardware.DescribeBoard(s.board)
	}
	config := map[string]any{}
	if s.want != nil {
		config = describeWant(s.want)
	}
	config["site"] = s.site.Hash
	out["config"] = config
	out["walls"], out["sensors"] = s.reportWalls(), s.reportSensors()
	return out
}

// reportWalls returns a summary of the walls of each process.
func (s *deviceState) reportWalls() map[string]any {
	walls := map[string]any{}
	if s.ownWalls != nil {
		walls["uplink"] = child.SummariseWalls(s.ownWalls, s.wallNames)
	}
	if w := s.walls[ipc.SupervisorSensor]; w != nil {
		walls["supervisor"] = child.SummariseWalls(w, s.wallNames)
	}
	if w := s.walls[ipc.DecoderSensor]; w != nil {
		walls["decode"] = child.SummariseWalls(w, s.wallNames)
	}
	for i, name := range sensorNames(s.site) {
		if w := s.walls[i]; w != nil {
			walls["sense "+name] = child.SummariseWalls(w, s.wallNames)
		}
	}
	return walls
}

// watching returns a text that changes when a sensor begins or ceases to deliver.
func (s *deviceState) watching() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for i := range sensorNames(s.site) {
		switch h := s.heartbeats[i]; {
		case h == nil:
			b.WriteByte('?')
		case h.Delivering:
			b.WriteByte('1')
		default:
			b.WriteByte('0')
		}
	}
	return b.String()
}

// reportSensors returns the latest heartbeat of each sensor: pictures in number, as
// powers of two, and the fault of the camera's view, if any.
func (s *deviceState) reportSensors() map[string]any {
	sensors := map[string]any{}
	for i, name := range sensorNames(s.site) {
		h := s.heartbeats[i]
		if h == nil {
			continue
		}
		sensor := map[string]any{
			"watching": h.Delivering, "pictures": h.Pictures, "bad": h.Undecoded, "dropped": h.Dropped,
		}
		if h.KeysOnly {
			sensor["key_frames_only"] = true
		}
		if i < len(s.site.Cameras) {
			s.detectors.addDetector(i, h.Detection, sensor)
		}
		if f := counting.ViewFault(h.ViewFault); f != counting.ViewGood {
			sensor["fault"] = f.String()
		}
		sensors[name] = sensor
	}
	return sensors
}
