package ipc

import (
	"errors"
	"fmt"
	"kerb/counting"
	"time"
)

// Instant is a wall-clock time: nanoseconds since 1970, UTC.
type Instant int64

// At is t as an Instant.
func At(t time.Time) Instant { return Instant(t.UnixNano()) }

// Time is the inverse of At.
func (i Instant) Time() time.Time { return time.Unix(0, int64(i)).UTC() }

// Begin tells the uplink when the agent began to count, so that what came
// before is known to be a gap. It is the first record it gets.
type Begin struct {
	Wall  Instant
	Mono  time.Duration
	First bool // no uplink of this agent was before it
}

func (*Begin) recordKind() byte { return 1 }
func (b *Begin) layout(p *cursor) {
	lay64(p, &b.Wall)
	lay64(p, &b.Mono)
	p.flag(&b.First)
}
func (b *Begin) validate() error { return nil }

// CloseWindow tells a sensing process that window N ended. It answers with one Tally
// for each of its streams, in their order.
type CloseWindow struct {
	N          uint64
	Start, End Instant
	Mono       time.Duration
	Last       bool // nothing comes after it
}

func (*CloseWindow) recordKind() byte { return 2 }

func (c *CloseWindow) layout(p *cursor) {
	lay64(p, &c.N)
	lay64(p, &c.Start, &c.End)
	lay64(p, &c.Mono)
	p.flag(&c.Last)
}

func (c *CloseWindow) validate() error {
	if c.End <= c.Start || c.Mono < 0 {
		return errors.New("a window that ends before it begins")
	}
	return nil
}

// Window announces window N to the uplink; its tallies follow.
type Window struct {
	N          uint64
	Start, End Instant
	Mono       time.Duration
	Synced     bool // the label can be believed
	Tallies    uint16
}

func (*Window) recordKind() byte { return 3 }

func (w *Window) layout(p *cursor) {
	lay64(p, &w.N)
	lay64(p, &w.Start, &w.End)
	lay64(p, &w.Mono)
	p.flag(&w.Synced)
	p.u16(&w.Tallies)
}

func (w *Window) validate() error {
	return (&CloseWindow{Start: w.Start, End: w.End, Mono: w.Mono}).validate()
}

// Step tells the uplink that the wall clock jumped.
type Step struct {
	N        uint64
	From, To Instant
	Mono     time.Duration
	Synced   bool
}

func (*Step) recordKind() byte { return 4 }

func (s *Step) layout(p *cursor) {
	lay64(p, &s.N)
	lay64(p, &s.From, &s.To)
	lay64(p, &s.Mono)
	p.flag(&s.Synced)
}

func (s *Step) validate() error { return nil }

// Heartbeat is a sign of life, at least one a second, with what was done since the
// process began.
type Heartbeat struct {
	Sensor     uint16 // its place in site.toml; 0 in a sensing process
	Pictures   uint64
	Bad        uint64
	Crossings  uint64
	Watching   bool  // the camera delivers
	View       uint8 // what is wrong with what it shows, as in View; 0: nothing
	Detection  Detection
	Dropped    uint64        // pictures that came and were overtaken by newer ones
	LatencyP50 time.Duration // from a picture's coming until it is counted: the median
	LatencyP95 time.Duration // the same, 95 of 100
}

// What finds a camera's objects.
const (
	Motion = iota + 1
	Neural
)

// Detection is what finds a camera's objects.
type Detection struct {
	Detector uint8  // 0: not said
	Network  uint8  // 0: none, 1: the camera's own, from 2 on those in the binary
	Looks    uint16 // tenths of a picture a second that the network looks at
}

func (*Heartbeat) recordKind() byte { return 5 }

func (a *Heartbeat) layout(p *cursor) {
	p.u16(&a.Sensor)
	lay64(p, &a.Pictures, &a.Bad, &a.Crossings, &a.Dropped)
	lay64(p, &a.LatencyP50, &a.LatencyP95)
	p.flag(&a.Watching)
	p.u8(&a.Detection.Detector, &a.Detection.Network)
	p.u16(&a.Detection.Looks)
	p.u8(&a.View)
}

func (a *Heartbeat) validate() error {
	if s := a.Detection; s.Detector > Neural || s.Network > maxNetworks || (s.Network != 0 || s.Looks != 0) && s.Detector != Neural {
		return fmt.Errorf("a sight of %+v", s)
	}
	if a.View >= counting.ViewFaults {
		return fmt.Errorf("fault %d of a camera", a.View)
	}
	return nil
}

// CameraFault tells that a fault of a camera's pictures begins or ends.
type CameraFault struct {
	N      uint64
	Sensor uint16 // as in Alive
	Fault  uint8  // a counting.ViewFault, never ViewGood
	On     bool   // it begins
}

func (*CameraFault) recordKind() byte { return 14 }

func (v *CameraFault) layout(p *cursor) {
	lay64(p, &v.N)
	p.u16(&v.Sensor)
	p.u8(&v.Fault)
	p.flag(&v.On)
}

func (v *CameraFault) validate() error {
	if v.Fault == 0 || v.Fault >= counting.ViewFaults {
		return fmt.Errorf("fault %d of a camera", v.Fault)
	}
	return nil
}

// maxNetworks bounds the number of a network.
const maxNetworks = 9

// What became of trying one wall.
const (
	Open  = iota + 1 // it should hold and does not
	Holds            // the attempt was refused
	May              // this role may
)

// MaxWalls is how many walls a report can tell of.
const MaxWalls = 96

// Walls is what holds a process, as it measured itself: one entry a wall, in
// the order of the cage's own table.
type Walls struct {
	Sensor   uint16 // as in Alive; Supervisor of the supervisor's own
	Landlock uint8
	State    [MaxWalls]uint8 // 0 beyond the last
}

// Supervisor stands for the supervisor where a sensor is named.
const Supervisor = 0xffff

func (*Walls) recordKind() byte { return 6 }

func (w *Walls) layout(p *cursor) {
	p.u16(&w.Sensor)
	p.u8(&w.Landlock)
	for i := range w.State {
		p.u8(&w.State[i])
	}
}

func (w *Walls) validate() error {
	for i, s := range w.State {
		if s > May || i > 0 && s != 0 && w.State[i-1] == 0 {
			return fmt.Errorf("wall %d: state %d", i, s)
		}
	}
	return nil
}

// Why a sensing process had to be started again.
const (
	Ended     = iota + 1 // by itself, or killed by someone else
	Stalled              // no sign of life
	Malformed            // it sent something that is no record
)

// LostWord returns why a sensing process was started again as the audit log
// and the event sense_lost name it.
func LostWord(why uint8) string {
	return map[uint8]string{Ended: "ended", Stalled: "stalled", Malformed: "malformed"}[why]
}

// SensorLost tells the uplink that a sensing process ended and why.
type SensorLost struct {
	N      uint64
	Sensor uint16
	Why    uint8
}

func (*SensorLost) recordKind() byte { return 7 }

func (e *SensorLost) layout(p *cursor) {
	lay64(p, &e.N)
	p.u16(&e.Sensor)
	p.u8(&e.Why)
}

func (e *SensorLost) validate() error {
	if e.Why < Ended || e.Why > Malformed {
		return fmt.Errorf("an event of kind %d", e.Why)
	}
	return nil
}

// LoopFault tells that a loop's fault begins or ends.
type LoopFault struct {
	N      uint64
	Stream uint16 // its place among the loops' streams; among all, for the uplink
	Line   uint16 // its place among the loops' lines
	Bits   uint16 // which fault
	On     bool   // it begins
	Count  uint32
}

func (*LoopFault) recordKind() byte { return 11 }

func (f *LoopFault) layout(p *cursor) {
	lay64(p, &f.N)
	p.u16(&f.Stream)
	p.u16(&f.Line)
	p.u16(&f.Bits)
	p.flag(&f.On)
	p.u32(&f.Count)
}

func (f *LoopFault) validate() error {
	if f.Bits == 0 || f.Bits&(f.Bits-1) != 0 {
		return fmt.Errorf("%#x is not one fault", f.Bits)
	}
	return nil
}

// AuditHead is the last entry of the audit log, which the supervisor keeps and the
// uplink tells.
type AuditHead struct {
	Seq uint64
	Sum [32]byte
}

func (*AuditHead) recordKind() byte { return 12 }

func (h *AuditHead) layout(p *cursor) {
	lay64(p, &h.Seq)
	for i := range h.Sum {
		p.u8(&h.Sum[i])
	}
}

func (h *AuditHead) validate() error { return nil }

// Board is how the board is, as the supervisor saw it: the uplink may read none
// of it. See the package board for what the numbers mean.
type Board struct {
	Known       uint8 // BoardTemperature, BoardThrottled
	Milli       int64 // °C/1000
	Throttled   uint32
	Written     uint64
	Errors      uint64
	Life        uint8
	MemoryFree  uint64
	MemoryTotal uint64
}

// What is known of a board.
const (
	BoardTemperature = 1 << iota
	BoardThrottled
)

func (*Board) recordKind() byte { return 13 }

func (b *Board) layout(p *cursor) {
	p.u8(&b.Known, &b.Life)
	lay64(p, &b.Milli)
	p.u32(&b.Throttled)
	lay64(p, &b.Written, &b.Errors, &b.MemoryFree, &b.MemoryTotal)
}

func (b *Board) validate() error {
	if b.Known > BoardTemperature|BoardThrottled || b.Milli < -273_150 || b.Milli > 1_000_000 {
		return errors.New("a board that cannot be")
	}
	return nil
}

// Stored answers that everything up to N is on the disk.
type Stored struct{ N uint64 }

func (*Stored) recordKind() byte   { return 8 }
func (s *Stored) layout(p *cursor) { lay64(p, &s.N) }
func (s *Stored) validate() error  { return nil }

// Finish asks the uplink to send what it can and to end.
type Finish struct{}

func (*Finish) recordKind() byte { return 9 }
func (*Finish) layout(*cursor)   {}
func (*Finish) validate() error  { return nil }
