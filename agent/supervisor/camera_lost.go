package supervisor

import (
	"time"

	"kerb/agent/advice"
	"kerb/agent/ipc"
	"kerb/agent/status"
)

// lostAfter is the time without a picture after which the uplink is told of it: a
// camera that starts again is back sooner. Chosen by hand.
const lostAfter = 10 * time.Second

// watchCamera queues the event of a camera that has been lost for lostAfter, and of
// its return. Closing hours and aiming are no loss. now is the time since boot. It is
// called under the lock.
func (s *Supervisor) watchCamera(p *slot, now time.Duration) {
	if p.number >= len(s.site.Cameras) {
		return
	}
	state := s.slotState(p, s.clock.ReadAll())
	if why := ""; state == status.Lost || state == status.Starting {
		if why = s.lossReason(p); state == status.Starting && why == "" {
			return
		}
		if p.lostAt == 0 {
			p.lostAt = now
		}
		if now-p.lostAt >= lostAfter && !p.lossSent {
			s.sendLoss(p, true, why)
		}
		return
	}
	if p.lostAt = 0; p.lossSent {
		s.sendLoss(p, false, "")
	}
}

// sendLoss queues the event for the uplink. It is called under the lock.
func (s *Supervisor) sendLoss(p *slot, on bool, why string) {
	p.lossSent = on
	m := &ipc.CameraLost{Sensor: uint16(p.number), On: on, Why: ipc.CameraLossNumber(advice.CameraWord(why))}
	s.queue.pushNote(func(n uint64) []ipc.Record {
		m.N = n
		return []ipc.Record{m}
	})
}
