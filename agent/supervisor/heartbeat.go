package supervisor

import (
	"errors"
	"time"

	"kerb/agent/ipc"
)

// These maxima bound the counts of a heartbeat by the highest rate of a camera. They are published
// in the state message without noise; a sensing process that was taken over could
// carry data out in numbers that no clock allows. Chosen by hand: twice the highest
// rate of a camera in use, 120 a second, and the pictures that may be buffered at its start.
const (
	maxPictureRate = 240 // a second
	startPictures  = 600
	maxLatency     = 10 * time.Minute // above the last bin of the sensor's histogram
)

// checkHeartbeat returns an error for a heartbeat whose numbers cannot be: counts above
// what the time since the start of the process allows, counts that went down, and
// latencies that the sensor does not measure. now is the time since boot. It is
// called under the supervisor's lock.
func (p *slot) checkHeartbeat(m *ipc.Heartbeat, now time.Duration) error {
	most := uint64((now-p.startedAt)*maxPictureRate/time.Second) + startPictures
	before := p.lastBeat
	if before == nil {
		before = new(ipc.Heartbeat)
	}
	for _, n := range [...]struct{ now, before uint64 }{
		{m.Pictures, before.Pictures}, {m.Undecoded, before.Undecoded}, {m.Dropped, before.Dropped},
	} {
		if n.now > most || n.now < n.before {
			return errors.New("a heartbeat with counts that the time does not allow")
		}
	}
	if min(m.LatencyP50, m.LatencyP95) < 0 || max(m.LatencyP50, m.LatencyP95) > maxLatency {
		return errors.New("a heartbeat with latencies that cannot be")
	}
	p.lastBeat = m
	return nil
}
