package ipc

import (
	"fmt"
	"slices"
)

// CameraLost tells the uplink that a camera has delivered no picture for a while, or
// delivers again.
type CameraLost struct {
	N      uint64 // number in the supervisor's queue
	Sensor uint16 // as in Heartbeat
	On     bool   // it is lost; false: it delivers again
	Why    uint8  // place of the reason in CameraLossWords
}

func (*CameraLost) recordKind() byte { return 26 }

func (m *CameraLost) walkFields(p *cursor) {
	walk64(p, &m.N)
	p.walkUint16(&m.Sensor)
	p.walkBool(&m.On)
	p.walkUint8(&m.Why)
}

func (m *CameraLost) checkRanges() error {
	if int(m.Why) >= len(CameraLossWords()) {
		return fmt.Errorf("reason %d of a lost camera", m.Why)
	}
	return nil
}

// CameraLossWords returns the reasons for which a camera is lost, as the event
// camera_lost names them. The text of the error stays on the device: parts of it come
// from the camera.
func CameraLossWords() []string {
	return []string{"other", "login", "missing", "refused", "unreachable", "silent", "protocol"}
}

// CameraLossNumber returns the place of a reason, that of "other" for an unknown one.
func CameraLossNumber(word string) uint8 {
	return uint8(max(slices.Index(CameraLossWords(), word), 0))
}
