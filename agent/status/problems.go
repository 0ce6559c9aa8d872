package status

import (
	"fmt"
	"strings"
	"time"

	"kerb/agent/advice"
)

// minFree is the free space in bytes below which the disk counts as full, chosen by
// hand: a few log files, and the growth of the spool by one step.
const minFree = 16 << 20

// Full reports whether the disk has too little room to go on.
func (d Disk) Full() bool { return d.Free < minFree }

// assess sets Problems and Well from the other fields. refused is why an agent that
// does not run would not start.
func (s *Status) assess(refused error) {
	s.Problems = []Problem{}
	if !s.Running {
		s.assessStopped(refused)
	}
	for _, c := range s.Cameras {
		s.assessCamera(c)
	}
	s.assessLoops()
	s.assessSpool()
	s.assessBroker()
	if c := s.Clock; c != nil && !c.Synced {
		s.add("clock", "not believed: no time server has set it, and it is not past clock_floor", "let port 123 through, or set clock_floor in site.toml and the clock by hand; until then each window waits two minutes")
	}
	if p := s.Policy; p != nil && p.Refused != "" {
		s.add("policy", "the file is refused, the one before is in force: "+p.Refused, "see signing.md; kerb check tells the line")
	}
	if s.AuditCut != "" {
		s.add("audit", s.AuditCut, "find out who could write there; kerb audit verify -head, with a head that the platform has, tells what is gone: signing.md")
	}
	if s.ReloadRefused != "" {
		s.add("files", "not taken, those before are in force: "+s.ReloadRefused, "kerb check tells every mistake; then systemctl reload kerb")
	}
	s.Well = len(s.Problems) == 0
}

// add adds a problem.
func (s *Status) add(part, what, do string) {
	s.Problems = append(s.Problems, Problem{part, what, do})
}

// FindProblem returns the first problem of a part, nil where it has none.
func (s *Status) FindProblem(part string) *Problem {
	for i, p := range s.Problems {
		if p.Part == part {
			return &s.Problems[i]
		}
	}
	return nil
}

// assessCamera adds the problems of a camera. One that is closed or aimed is well.
func (s *Status) assessCamera(c Camera) {
	part := "camera " + c.Name
	switch {
	case c.State == Lost:
		s.add(part, lossText(c.For, c.Why), advice.Camera(c.Why))
	case c.State == Starting:
		s.add(part, "no picture yet", "wait a moment, then ask again")
	case c.State == Counting && c.KeysOnly:
		s.add(part, "this device is too slow for it: only key frames are decoded, lines do not count", "set the camera to a smaller picture or fewer pictures a second")
	case c.State == Counting && c.View != "" && c.View != ViewWell:
		s.add(part, "the view is spoilt: "+c.View, "see view.md")
	}
}

// ViewWell is Camera.View where the view is not spoilt.
const ViewWell = "well"

// lossText tells for how long something is lost, and why.
func lossText(seconds int64, why string) string {
	text := "LOST " + FormatAge(seconds)
	if why != "" {
		text += ": " + why
	}
	return text
}

// assessLoops adds the problems of the loops.
func (s *Status) assessLoops() {
	l := s.Loops
	switch {
	case l == nil:
	case l.State == Lost:
		s.add("loops", lossText(l.For, l.Why), advice.Loops(l.Why))
	case l.State == Starting:
		s.add("loops", "no edge source yet", "wait a moment, then ask again")
	case len(l.Faults) > 0:
		s.add("loops", "not counted: "+strings.Join(l.Faults, ", "), "look at the road, then at the detector: loops.md")
	}
}

// assessSpool adds the problems of the store of the windows and its disk.
func (s *Status) assessSpool() {
	full := s.Disk != nil && s.Disk.Full()
	switch p := s.Spool; {
	case p == nil && s.Running:
		s.add("kerb", "the process that stores and sends does not answer", "wait a moment; journalctl -u kerb tells why")
	case p == nil:
	case p.Health == HealthMemory && (full || p.Full):
		s.add("disk", "FULL, nothing is stored: a power cut loses what is counted", "make room, or replace the card")
		return
	case p.Health == HealthMemory:
		s.add("spool", "nothing is stored, a power cut loses what is counted: "+p.Why, "replace the card, or mend the rights of the state directory")
	case p.Health == HealthUnread:
		do := "sudo kerb status reads it"
		if p.Why == NoSpool {
			do = "start kerb; -site FILE names the site file of another device"
		}
		s.add("spool", p.Why, do)
	}
	if full {
		s.add("disk", fmt.Sprintf("FULL: %d MB free", s.Disk.Free>>20), "make room, or replace the card")
	}
}

// NoSpool is Spool.Why where the state directory holds no spool.
const NoSpool = "there is no spool: kerb has not run here yet"

// The values of Spool.Health beside "ok".
const (
	HealthOK     = "ok"
	HealthMemory = "memory"
	HealthUnread = "unread"
)

// assessBroker adds the problems of the way to the broker.
func (s *Status) assessBroker() {
	b := s.Broker
	switch {
	case b == nil || !s.Running:
		return
	case len(b.Denied) > 0:
		s.add("broker", "connected, but it does not pass on "+strings.Join(b.Denied, ", "), "its access control needs: "+strings.Join(b.ACL, "; "))
	case !b.Connected:
		what := "not connected"
		if b.Refusal != "" {
			what += ": " + b.Refusal
		}
		s.add("broker", what, advice.Broker(b.Refusal))
	case !b.Proven:
		s.add("broker", "connected, and whether it passes messages on is not proven yet", "wait a moment, then ask again")
	}
	if b.Twin != "" {
		s.add("broker", "another device publishes under this one's name: "+b.Twin, "give one of the two another [device] name")
	}
	if b.NoRetain {
		s.add("broker", "it does not keep retained messages, so the platform misses state and meta after a restart", "allow retained messages at the broker")
	}
}

// FormatAge writes a number of seconds for people, such as "4 min" or "3 h 12 min".
func FormatAge(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", seconds)
	case d < time.Hour:
		return fmt.Sprintf("%d min", seconds/60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", seconds/3600, seconds%3600/60)
	}
	return fmt.Sprintf("%d days", seconds/86400)
}
