package supervisor

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"kerb/agent/child"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/process"
	"kerb/agent/status"
	"kerb/counting"
)

// serveStatus answers kerb status until ctx ends. An agent whose socket cannot be
// opened counts all the same.
func (s *Supervisor) serveStatus(ctx context.Context) {
	l, err := status.Listen(s.site.Device.State)
	if err != nil {
		s.log.Warn("kerb status will not find this agent", "err", err)
		return
	}
	status.Serve(ctx, l, s.answerQuery)
}

// answerQuery returns the lines of the answer to a query: the supervisor's part
// first, then that of the uplink.
func (s *Supervisor) answerQuery(q *ipc.Query) [][]byte {
	switch q.What {
	case ipc.QueryStatus:
		return [][]byte{marshal(s.describeDevice()), s.askUplink(q)}
	case ipc.QueryWindows, ipc.QueryHistory:
		return [][]byte{s.askUplink(q)}
	case ipc.QueryLog:
		return [][]byte{marshal(status.Log{Lines: s.book.Lines()})}
	case ipc.QueryRefused:
		s.recordRefusedPage()
		return [][]byte{[]byte("{}")}
	}
	return nil // ipc.ReadRecord passes no other question
}

// refusalInterval is the shortest time between two audit entries of refused status pages,
// so that no client can fill the log. Chosen by hand.
const refusalInterval = time.Hour

// recordRefusedPage writes into the audit log that the policy refused the status page.
func (s *Supervisor) recordRefusedPage() {
	now := s.clock.ReadAll().Mono
	s.mu.Lock()
	due := !s.policy.AllowsStatusPage() && (s.refusedAt == 0 || now-s.refusedAt >= refusalInterval)
	if due {
		s.refusedAt = now
	}
	s.mu.Unlock()
	if due {
		s.journal.WriteEntry("page_refused", map[string]any{"policy": s.policy.Hash()})
	}
}

// marshal encodes an answer; its types cannot fail to encode.
func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return text
}

// uplinkTime is the longest that the uplink may take to answer, chosen by hand.
const uplinkTime = 5 * time.Second

// unanswered is the answer of an uplink that is not there or does not answer.
const unanswered = "null"

// askUplink passes a query on to the uplink and returns its answer unread, or
// unanswered.
func (s *Supervisor) askUplink(q *ipc.Query) []byte {
	s.queryMu.Lock()
	defer s.queryMu.Unlock()
	s.mu.Lock()
	c := s.publisherProcess
	s.queries++
	asked, answer := *q, make(chan []byte, 1)
	asked.N, s.expected = s.queries, answer
	s.mu.Unlock()
	if c == nil || c.Queries == nil {
		return []byte(unanswered)
	}
	_ = c.Queries.SetWriteDeadline(time.Now().Add(uplinkTime))
	if ipc.WriteRecord(c.Queries, &asked) != nil {
		return []byte(unanswered)
	}
	select {
	case text := <-answer:
		return text
	case <-time.After(uplinkTime):
		return []byte(unanswered)
	}
}

// readAnswers passes each answer of one uplink process to askUplink until the socket
// ends. An answer that comes too late is dropped.
func (s *Supervisor) readAnswers(c *process.Process) {
	for {
		n, text, err := status.ReadAnswer(c.Queries)
		if err != nil {
			return
		}
		s.mu.Lock()
		if n == s.queries && s.expected != nil {
			s.expected <- text
			s.expected = nil
		}
		s.mu.Unlock()
	}
}

// describeDevice returns the supervisor's part of a status. It holds no count: of a
// heartbeat it takes the pictures alone, as a rate.
func (s *Supervisor) describeDevice() status.Device {
	d, r := s.site.Device, s.clock.ReadAll()
	out := status.Device{
		Name: d.Name, Site: d.Site, Tenant: d.Tenant, Version: s.Version,
		Up:     int64((r.Mono - s.startReading.Mono) / time.Second),
		Policy: &status.Policy{Title: s.policy.Title(), Version: int(s.policy.Version()), Hash: s.policy.Hash(), NoPage: !s.policy.AllowsStatusPage()},
		Lamp:   &status.Lamp{Code: s.lampCode().String(), Fixed: s.site.Lamp.GPIO != ""},
		Clock:  &status.Clock{Synced: r.Synced, Source: r.Source}, Disk: status.ReadDisk(d.State),
	}
	if s.journal != nil && s.journal.Decision.Refused != nil {
		out.Policy.Refused = s.journal.Decision.Refused.Error()
	}
	if s.auditCut != nil {
		out.AuditCut = s.auditCut.String()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.ReloadRefused, out.Walls = s.reloadRefused, s.describeWalls()
	for _, p := range s.slots {
		state, age := s.slotState(p, r), int64((r.Mono-max(p.changedAt, s.startReading.Mono))/time.Second)
		if p.number < len(s.site.Cameras) {
			out.Cameras = append(out.Cameras, s.describeCamera(p, state, age))
			continue
		}
		out.Loops = &status.Loops{State: state, For: age, Faults: s.failedLines(p)}
		if state == status.Lost {
			out.Loops.Why = s.book.LastWarning("process", p.watcher.Name).Err
		}
	}
	return out
}

// describeWalls returns the walls of all processes that have reported theirs. It is called
// under the lock.
func (s *Supervisor) describeWalls() (all []status.Walls) {
	add := func(process string, w *ipc.Walls) {
		if w != nil {
			sum := child.SummariseWalls(w, s.wallNames)
			all = append(all, status.Walls{Process: process, Hold: sum.Hold, Open: sum.Open, Landlock: sum.Landlock})
		}
	}
	add("supervisor", s.walls)
	add("uplink", s.publisherWalls)
	for _, p := range s.slots {
		add(p.watcher.Name, p.walls)
	}
	add("decode", s.decoderWalls)
	return all
}

// startGrace is how long a sensor may take to deliver before it counts as lost: a
// neural detector is chosen in the first seconds. Chosen by hand.
const startGrace = 15 * time.Second

// slotState returns the state of a sensor as package status names it. It is called
// under the supervisor's lock.
func (s *Supervisor) slotState(p *slot, r clock.Reading) string {
	switch {
	case p.aimed:
		return status.Aimed
	case s.policy.ClosedReason(p.hours, r.Wall, r.Synced) != counting.NoReason:
		return status.Closed
	case p.isDelivering():
		return status.Counting
	case p.changedAt == 0 && r.Mono-s.startReading.Mono < startGrace:
		return status.Starting
	}
	return status.Lost
}

// describeCamera returns the condition of a camera. It is called under the
// supervisor's lock.
func (s *Supervisor) describeCamera(p *slot, state string, age int64) status.Camera {
	conf := s.site.Cameras[p.number]
	c := status.Camera{Name: conf.Name, State: state, For: age}
	if polled, ok := conf.Source.(config.SnapshotSource); ok {
		c.Every = polled.PollEvery.Seconds()
	}
	if state == status.Lost || state == status.Starting {
		c.Why = s.lossReason(p)
		if c.Why != "" {
			c.State = status.Lost
		}
		return c
	}
	if h := p.heartbeat; h != nil && state == status.Counting {
		c.Rate = math.Round(p.rate.perSecond()*10) / 10
		c.Detector = map[uint8]string{ipc.MotionDetector: config.MotionDetector, ipc.NeuralDetector: config.NeuralDetector}[h.Detection.Detector]
		c.KeysOnly = h.KeysOnly
		c.LookRate = float64(h.Detection.Looks) / 10
		if c.View = status.ViewWell; h.ViewFault != 0 {
			c.View = counting.ViewFault(h.ViewFault).String()
		}
	}
	return c
}

// lossReason returns why a camera does not deliver, in the words of the log.
func (s *Supervisor) lossReason(p *slot) string {
	if why := s.book.LastWarning("camera", s.site.Cameras[p.number].Name).Err; why != "" {
		return why
	}
	return s.book.LastWarning("process", p.watcher.Name).Err
}

// failedLines names the lines of the loops whose fault stops their counting. It is
// called under the supervisor's lock.
func (s *Supervisor) failedLines(p *slot) (names []string) {
	for i, bits := range p.lineFaults {
		if bits != 0 && i < len(s.site.Loops.Lines) {
			names = append(names, s.site.Loops.Lines[i].Name)
		}
	}
	return names
}

// setHeartbeat keeps the latest heartbeat of a sensing process. now is the time since
// boot. It is called under the supervisor's lock.
func (p *slot) setHeartbeat(m *ipc.Heartbeat, now time.Duration) {
	before := p.isDelivering()
	m.Sensor, p.heartbeat = uint16(p.number), m
	if p.isDelivering() != before {
		p.changedAt = now
	}
	p.rate.add(m.Pictures, now)
}

// rateMeter measures the rate of pictures over the last heartbeats.
type rateMeter struct {
	counts [rateSamples]uint64
	times  [rateSamples]time.Duration
	n      int // samples so far
}

// rateSamples is the number of heartbeats over which the rate is taken, one a second.
const rateSamples = 10

// add adds the number of pictures so far. A smaller number is that of a new process.
func (r *rateMeter) add(pictures uint64, now time.Duration) {
	if r.n > 0 && pictures < r.counts[(r.n-1)%rateSamples] {
		r.n = 0
	}
	r.counts[r.n%rateSamples], r.times[r.n%rateSamples] = pictures, now
	r.n++
}

// perSecond returns pictures a second, 0 before the second sample.
func (r *rateMeter) perSecond() float64 {
	if r.n < 2 {
		return 0
	}
	first, last := 0, (r.n-1)%rateSamples
	if r.n > rateSamples {
		first = r.n % rateSamples
	}
	if seconds := (r.times[last] - r.times[first]).Seconds(); seconds > 0 {
		return float64(r.counts[last]-r.counts[first]) / seconds
	}
	return 0
}
