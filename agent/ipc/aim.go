package ipc

import (
	"encoding/hex"
	"fmt"
	"time"
)

// Pause tells a sensing process to close its camera and to count nothing, or to
// begin again: somebody aims the camera.
type Pause struct{ On bool }

func (*Pause) recordKind() byte   { return 20 }
func (m *Pause) layout(p *cursor) { p.flag(&m.On) }
func (m *Pause) validate() error  { return nil }

// What an Aim tells.
const (
	AimStart    = iota + 1 // asks to begin; told on when it was granted
	AimGranted             // the answer
	AimRefused             // the other answer
	AimEntered             // somebody knew the code
	AimLocked              // too many did not
	AimChanged             // site.toml was written; Sum is its SHA-256
	AimUndone              // the one before came back; Sum is its SHA-256
	AimAccepted            // a tally by hand became the acceptance record
	AimEnd                 // it is over
	aimActs
)

// Why an Aim was refused, or ended.
const (
	AimBusy    = iota + 1 // refused: somebody else aims
	AimStale              // refused: the two files are not those that kerb run read
	AimNever              // refused: the policy or the site knows no such thing
	AimDone               // ended: on the page
	AimExpired            // ended: the time is up
	AimGuessed            // ended: too many wrong codes
	AimStopped            // ended: on the terminal, or kerb run stopped
	AimLost               // ended: kerb aim is gone
	AimClosed             // ended: the policy's hours did
	aimWhys
)

// Aim is what kerb aim and the supervisor tell each other of one session of
// aiming, and what the supervisor tells the uplink of it.
type Aim struct {
	N      uint64        // for the uplink
	Sensor uint16        // its place in site.toml
	Act    uint8         // AimStart…
	Why    uint8         // AimBusy…; 0 where there is nothing to say
	Code   uint32        // names the code that was used; 0 before there was one
	For    time.Duration // AimStart: for how long
	Sum    [32]byte      // AimStart: what the two files are; AimChanged
}

func (*Aim) recordKind() byte { return 21 }

func (m *Aim) layout(p *cursor) {
	lay64(p, &m.N)
	p.u16(&m.Sensor)
	p.u8(&m.Act, &m.Why)
	p.u32(&m.Code)
	lay64(p, &m.For)
	for i := range m.Sum {
		p.u8(&m.Sum[i])
	}
}

func (m *Aim) validate() error {
	if m.Act == 0 || m.Act >= aimActs || m.Why >= aimWhys || m.For < 0 || m.For > time.Hour {
		return fmt.Errorf("aiming: act %d, why %d, for %s", m.Act, m.Why, m.For)
	}
	return nil
}

// Word returns the act as the audit log and the event name it.
func (m *Aim) Word() string {
	return map[uint8]string{
		AimStart: "start", AimEntered: "entered", AimLocked: "locked", AimChanged: "changed",
		AimUndone: "undone", AimAccepted: "accepted", AimEnd: "end",
	}[m.Act]
}

// Data returns the fields of the act for the audit log and the event: the
// camera's name ("" for none), the code by its name, and the act's details. It
// holds no count and no part of a picture.
func (m *Aim) Data(camera string) map[string]any {
	data := map[string]any{}
	if camera != "" {
		data["camera"] = camera
	}
	if m.Code != 0 {
		data["code"] = fmt.Sprintf("%08x", m.Code)
	}
	switch m.Act {
	case AimStart:
		data["for_s"] = m.For.Seconds()
	case AimChanged, AimUndone:
		data["site"] = "sha256:" + hex.EncodeToString(m.Sum[:])
	case AimEnd:
		data["why"] = m.endWord()
	}
	return data
}

func (m *Aim) endWord() string {
	return map[uint8]string{
		AimDone: "done", AimExpired: "expired", AimGuessed: "guessed", AimStopped: "stopped",
		AimLost: "lost", AimClosed: "closed",
	}[m.Why]
}
