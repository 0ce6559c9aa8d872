package ipc

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Pause tells a sensing process to close its camera and to stop counting (On),
// or to open it and to count again. The supervisor sends it while kerb aim has
// the camera.
type Pause struct{ On bool }

func (*Pause) recordKind() byte       { return 20 }
func (m *Pause) walkFields(p *cursor) { p.walkBool(&m.On) }
func (m *Pause) checkRanges() error   { return nil }

// The acts of a session of aiming, for Aim.Act.
const (
	AimStart       = iota + 1 // kerb aim asks for a camera; sent on to the uplink once granted
	AimGranted                // the supervisor's answer: the camera is closed
	AimRefused                // the supervisor's answer: no, see Why
	AimEntered                // a viewer gave the right code
	AimLocked                 // too many wrong codes
	AimChanged                // site.toml was written; Sum is its SHA-256
	AimUndone                 // the former site.toml was written back; Sum is its SHA-256
	AimAccepted               // a tally by hand became the acceptance record
	AimExtended               // the session got more time; For is its whole length now
	AimEnd                    // the session ended, see Why
	AimPageRefused            // a viewer asked for the status page, which the policy forbids
	AimAccessPoint            // an access point is open for the session, and ends with it
	aimActs
)

// The reasons of AimRefused and AimEnd, for Aim.Why.
const (
	AimBusy      = iota + 1 // refused: another session is open
	AimStale                // refused: the two files are not those that kerb run read
	AimForbidden            // refused: the site has no such camera, or the policy not so much time
	AimDone                 // ended: on the page
	AimExpired              // ended: the time is up
	AimGuessed              // ended: too many wrong codes
	AimStopped              // ended: on the terminal, or kerb run stopped
	AimLost                 // ended: the connection to kerb aim broke
	AimClosed               // ended: the policy's hours did
	aimWhys
)

// aimWays are the words of Aim.By: a command of a user, a file on the card, a push button,
// three short starts by the power switch.
var aimWays = [...]string{"command", "card", "button", "power"}

// ParseAimWay returns the value of Aim.By for its word. ok is false for any other word.
func ParseAimWay(word string) (way uint8, ok bool) {
	i := slices.Index(aimWays[:], word)
	return uint8(max(i, 0)), i >= 0
}

// Aim is one act of a session of aiming, between kerb aim and the supervisor,
// and from the supervisor to the uplink.
type Aim struct {
	N      uint64        // number in the supervisor's queue; set for the uplink only
	Sensor uint16        // index of the camera in site.toml
	Act    uint8         // AimStart…
	Why    uint8         // AimBusy…; 0 for the other acts
	By     uint8         // AimStart: what opened the session, see ParseAimWay; 0 for the other acts
	Code   uint32        // identifies the code that was used; 0 before there was one
	For    time.Duration // AimStart, AimExtended: length of the session, at most 1 h
	Sum    [32]byte      // AimStart: fingerprint of the two files; AimChanged, AimUndone: SHA-256 of site.toml
}

func (*Aim) recordKind() byte { return 21 }

func (m *Aim) walkFields(p *cursor) {
	walk64(p, &m.N)
	p.walkUint16(&m.Sensor)
	p.walkUint8(&m.Act, &m.Why, &m.By)
	p.walkUint32(&m.Code)
	walk64(p, &m.For)
	for i := range m.Sum {
		p.walkUint8(&m.Sum[i])
	}
}

// maxAimTime bounds what a session may ask for. The policy's own limit, at most
// as long, is checked by the supervisor.
const maxAimTime = time.Hour

func (m *Aim) checkRanges() error {
	if m.Act == 0 || m.Act >= aimActs || m.Why >= aimWhys || int(m.By) >= len(aimWays) || m.For < 0 || m.For > maxAimTime {
		return fmt.Errorf("aiming: act %d, why %d, by %d, for %s", m.Act, m.Why, m.By, m.For)
	}
	return nil
}

// ActWord returns the act as the audit log and the event name it; "" for AimGranted
// and AimRefused, which neither gets.
func (m *Aim) ActWord() string {
	return map[uint8]string{
		AimStart: "start", AimEntered: "entered", AimLocked: "locked", AimChanged: "changed",
		AimUndone: "undone", AimAccepted: "accepted", AimExtended: "extended", AimEnd: "end", AimPageRefused: "page_refused",
		AimAccessPoint: "access_point",
	}[m.Act]
}

// EventData returns the fields of the act for the audit log and the event: the
// camera's name ("" for none), the code by its name, and the act's details. It
// holds no count and no part of a picture.
func (m *Aim) EventData(camera string) map[string]any {
	data := map[string]any{}
	if camera != "" {
		data["camera"] = camera
	}
	if m.Code != 0 {
		data["code"] = fmt.Sprintf("%08x", m.Code)
	}
	switch m.Act {
	case AimStart:
		data["for_s"], data["by"] = m.For.Seconds(), aimWays[m.By]
	case AimExtended:
		data["for_s"] = m.For.Seconds()
	case AimChanged, AimUndone:
		data["site"] = "sha256:" + hex.EncodeToString(m.Sum[:])
	case AimEnd:
		data["why"] = m.endWord()
	}
	return data
}

// endWord returns the reason of an end as the audit log and the event name it.
func (m *Aim) endWord() string {
	return map[uint8]string{
		AimDone: "done", AimExpired: "expired", AimGuessed: "guessed", AimStopped: "stopped",
		AimLost: "lost", AimClosed: "closed",
	}[m.Why]
}
