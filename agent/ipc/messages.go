package ipc

import (
	"errors"
	"fmt"
	"time"

	"kerb/counting"
)

// Instant is a wall-clock time in nanoseconds since 1970, UTC.
type Instant int64

// ToInstant converts t to an Instant.
func ToInstant(t time.Time) Instant { return Instant(t.UnixNano()) }

// Time converts i to a time in UTC.
func (i Instant) Time() time.Time { return time.Unix(0, int64(i)).UTC() }

// Begin tells the uplink when the agent began to count, so that it can store a
// gap for the time before. It is the first record that an uplink reads.
type Begin struct {
	Wall  Instant
	Mono  time.Duration // since boot
	First bool          // this is the first uplink process of this agent
}

func (*Begin) recordKind() byte { return 1 }
func (b *Begin) walkFields(p *cursor) {
	walk64(p, &b.Wall)
	walk64(p, &b.Mono)
	p.walkBool(&b.First)
}
func (b *Begin) checkRanges() error { return nil }

// CloseWindow tells a sensing process that window N ended. The process answers
// with one Tally for each of its streams, in their order.
type CloseWindow struct {
	N          uint64
	Start, End Instant
	Mono       time.Duration // end of the window, since boot
	Last       bool          // the agent stops: no window follows
}

func (*CloseWindow) recordKind() byte { return 2 }

func (c *CloseWindow) walkFields(p *cursor) {
	walk64(p, &c.N)
	walk64(p, &c.Start, &c.End)
	walk64(p, &c.Mono)
	p.walkBool(&c.Last)
}

func (c *CloseWindow) checkRanges() error {
	if c.End <= c.Start || c.Mono < 0 {
		return errors.New("a window that ends before it begins")
	}
	return nil
}

// Window announces window N to the uplink. Its cleared windows follow as Release
// records, one window for each stream of site.toml in their order. In the supervisor
// it also describes the window to which a Tally belongs.
type Window struct {
	N          uint64
	Start, End Instant
	Mono       time.Duration // end of the window, since boot
	Synced     bool          // the wall clock was synchronized
	Streams    uint16        // how many cleared windows follow
}

func (*Window) recordKind() byte { return 3 }

func (w *Window) walkFields(p *cursor) {
	walk64(p, &w.N)
	walk64(p, &w.Start, &w.End)
	walk64(p, &w.Mono)
	p.walkBool(&w.Synced)
	p.walkUint16(&w.Streams)
}

func (w *Window) checkRanges() error {
	return (&CloseWindow{Start: w.Start, End: w.End, Mono: w.Mono}).checkRanges()
}

// Step tells the uplink that the wall clock jumped.
type Step struct {
	N        uint64
	From, To Instant
	Mono     time.Duration // of the jump, since boot
	Synced   bool          // the wall clock is synchronized after it
}

func (*Step) recordKind() byte { return 4 }

func (s *Step) walkFields(p *cursor) {
	walk64(p, &s.N)
	walk64(p, &s.From, &s.To)
	walk64(p, &s.Mono)
	p.walkBool(&s.Synced)
}

func (s *Step) checkRanges() error { return nil }

// Heartbeat is the sign of life of a sensing process or of the uplink, sent once
// a second, with counts since the process began. The supervisor passes those of
// the sensing processes on to the uplink.
type Heartbeat struct {
	Sensor     uint16        // index in site.toml, the loops after the cameras; 0 from a sensing process
	Pictures   uint64        // pictures looked at
	Undecoded  uint64        // pictures that could not be decoded
	Delivering bool          // the camera or the loops deliver; of the uplink: the broker is connected
	StoreFault bool          // of the uplink: the spool cannot be written, windows are kept in memory
	Busy       bool          // of the uplink: an alert of the policy is on, by released bands
	ViewFault  uint8         // counting.ViewFault of the latest picture; 0: none
	Detection  Detection     // zero until the detector is chosen
	Dropped    uint64        // pictures that arrived and were replaced by newer ones
	LatencyP50 time.Duration // from a picture's arrival until it is counted: the median
	LatencyP95 time.Duration // the same: the 95th percentile
	KeysOnly   bool          // the device is too slow for the camera: only key frames are decoded
}

// The detectors, for Detection.Detector.
const (
	MotionDetector = iota + 1 // background subtraction
	NeuralDetector            // a neural network
)

// Detection names the detector of a camera.
type Detection struct {
	Detector uint8  // one of the detectors; 0: not known yet
	Network  uint8  // 0: none, 1: the camera's own, from 2 on those in the binary
	Looks    uint16 // pictures that the network looks at, in tenths per second
}

func (*Heartbeat) recordKind() byte { return 5 }

func (a *Heartbeat) walkFields(p *cursor) {
	p.walkUint16(&a.Sensor)
	walk64(p, &a.Pictures, &a.Undecoded, &a.Dropped)
	walk64(p, &a.LatencyP50, &a.LatencyP95)
	p.walkBool(&a.Delivering)
	p.walkBool(&a.StoreFault)
	p.walkBool(&a.Busy)
	p.walkBool(&a.KeysOnly)
	p.walkUint8(&a.Detection.Detector, &a.Detection.Network)
	p.walkUint16(&a.Detection.Looks)
	p.walkUint8(&a.ViewFault)
}

func (a *Heartbeat) checkRanges() error {
	if s := a.Detection; s.Detector > NeuralDetector || s.Network > maxNetworks || (s.Network != 0 || s.Looks != 0) && s.Detector != NeuralDetector {
		return fmt.Errorf("a sight of %+v", s)
	}
	if a.ViewFault >= counting.ViewFaults {
		return fmt.Errorf("fault %d of a camera", a.ViewFault)
	}
	return nil
}

// CameraFault tells that a fault of a camera's view begins or ends.
type CameraFault struct {
	N      uint64 // number in the supervisor's queue; set for the uplink only
	Sensor uint16 // as in Heartbeat
	Fault  uint8  // a counting.ViewFault, never ViewGood
	On     bool   // it begins
}

func (*CameraFault) recordKind() byte { return 14 }

func (v *CameraFault) walkFields(p *cursor) {
	walk64(p, &v.N)
	p.walkUint16(&v.Sensor)
	p.walkUint8(&v.Fault)
	p.walkBool(&v.On)
}

func (v *CameraFault) checkRanges() error {
	if v.Fault == 0 || v.Fault >= counting.ViewFaults {
		return fmt.Errorf("fault %d of a camera", v.Fault)
	}
	return nil
}

// maxNetworks bounds Detection.Network: the camera's own network and eight in the
// binary.
const maxNetworks = 9

// The results of attempting an operation that a wall forbids, for Walls.State.
const (
	WallOpen      = iota + 1 // the attempt succeeded although it should not
	WallHolds                // the attempt was refused
	WallPermitted            // the role of this process permits it
)

// MaxWalls is the greatest number of walls in a report.
const MaxWalls = 96

// Walls is the report of a process on its own walls (seccomp, Landlock, rlimits,
// namespaces), as it measured them. It is the first record that a child writes.
type Walls struct {
	Sensor   uint16          // as in Heartbeat; or SupervisorSensor, or DecoderSensor
	Landlock uint8           // version of the kernel's Landlock ABI; 0: none
	State    [MaxWalls]uint8 // in the order of the cage's table; 0 beyond the last
}

// The Walls.Sensor of processes that are no sensor.
const (
	SupervisorSensor = 0xffff
	DecoderSensor    = 0xfffe // of a decoder of H.265, as measured before the first
)

func (*Walls) recordKind() byte { return 6 }

func (w *Walls) walkFields(p *cursor) {
	p.walkUint16(&w.Sensor)
	p.walkUint8(&w.Landlock)
	for i := range w.State {
		p.walkUint8(&w.State[i])
	}
}

func (w *Walls) checkRanges() error {
	for i, s := range w.State {
		if s > WallPermitted || i > 0 && s != 0 && w.State[i-1] == 0 {
			return fmt.Errorf("wall %d: state %d", i, s)
		}
	}
	return nil
}

// The reasons why a child process was lost, for SensorLost.Why.
const (
	LostEnded     = iota + 1 // it ended by itself or was killed from outside
	LostStalled              // it sent no heartbeat in time
	LostMalformed            // it sent something that is no valid record
)

// LostWord returns the reason why a sensing process was lost, as the audit log
// and the event sense_lost name it.
func LostWord(why uint8) string {
	return map[uint8]string{LostEnded: "ended", LostStalled: "stalled", LostMalformed: "malformed"}[why]
}

// SensorLost tells the uplink that a sensing process ended and why.
type SensorLost struct {
	N      uint64 // number in the supervisor's queue
	Sensor uint16 // as in Heartbeat
	Why    uint8  // one of the reasons above
}

func (*SensorLost) recordKind() byte { return 7 }

func (e *SensorLost) walkFields(p *cursor) {
	walk64(p, &e.N)
	p.walkUint16(&e.Sensor)
	p.walkUint8(&e.Why)
}

func (e *SensorLost) checkRanges() error {
	if e.Why < LostEnded || e.Why > LostMalformed {
		return fmt.Errorf("an event of kind %d", e.Why)
	}
	return nil
}

// LoopFault tells that a loop's fault begins or ends.
type LoopFault struct {
	N        uint64 // number in the supervisor's queue; set for the uplink only
	Stream   uint16 // index among the loops' streams; to the uplink, among all of site.toml
	Line     uint16 // index among the loops' input lines of site.toml
	FaultBit uint16 // the fault: one bit of loop.Fault
	On       bool   // it begins
	Count    uint32 // loop.Event.N
}

// untrustedLoopBits are the faults under which a loop is not counted: relay,
// card, stuck on and chatter, numbered as in counting/loop.
const untrustedLoopBits = 1<<0 | 1<<1 | 1<<2 | 1<<3

// silentLoopBit is the fault of a loop without a vehicle for long.
const silentLoopBit = 1 << 4

// IsFailure reports whether the loop, or its line, is to be looked at.
func (f *LoopFault) IsFailure() bool { return f.FaultBit&(untrustedLoopBits|silentLoopBit) != 0 }

// StaysOnDevice reports whether the fault is told on the device alone: one vehicle ends
// it, so that an event would tell of that vehicle without noise.
func (f *LoopFault) StaysOnDevice() bool { return f.FaultBit == silentLoopBit }

func (*LoopFault) recordKind() byte { return 11 }

func (f *LoopFault) walkFields(p *cursor) {
	walk64(p, &f.N)
	p.walkUint16(&f.Stream)
	p.walkUint16(&f.Line)
	p.walkUint16(&f.FaultBit)
	p.walkBool(&f.On)
	p.walkUint32(&f.Count)
}

func (f *LoopFault) checkRanges() error {
	if f.FaultBit == 0 || f.FaultBit&(f.FaultBit-1) != 0 {
		return fmt.Errorf("%#x is not one fault", f.FaultBit)
	}
	return nil
}

// AuditHead tells the uplink the last entry of the audit log, which the
// supervisor writes. The uplink publishes it in the state message.
type AuditHead struct {
	Seq uint64   // number of the entry
	Sum [32]byte // its SHA-256
}

func (*AuditHead) recordKind() byte { return 12 }

func (h *AuditHead) walkFields(p *cursor) {
	walk64(p, &h.Seq)
	for i := range h.Sum {
		p.walkUint8(&h.Sum[i])
	}
}

func (h *AuditHead) checkRanges() error { return nil }

// AuditCut tells the uplink that entries of the audit log are gone: see audit.Cut.
type AuditCut struct {
	N     uint64 // number in the supervisor's queue
	Had   uint64 // number of the last entry that the device wrote; 0: not known
	Found uint64 // number of the last entry that was there
}

func (*AuditCut) recordKind() byte { return 22 }

func (c *AuditCut) walkFields(p *cursor) { walk64(p, &c.N, &c.Had, &c.Found) }

func (c *AuditCut) checkRanges() error { return nil }

// Board tells the uplink the condition of the board. The supervisor reads it,
// because the walls of the uplink forbid it. Package drivers/board gives the
// sources of the numbers.
type Board struct {
	KnownFields  uint8  // set of BoardTemperature and BoardThrottled
	MilliCelsius int64  // temperature, °C/1000
	Throttled    uint32 // board.Throttle
	WrittenBytes uint64 // bytes written to the file system of the state directory since it was made
	Errors       uint64 // errors of that file system since then
	LifeTenths   uint8  // tenths of an eMMC's life used; 11: over; 0: not known
	MemoryFree   uint64 // bytes
	MemoryTotal  uint64 // bytes; 0: not known
}

// The fields of a Board that were read, for Board.Known.
const (
	BoardTemperature = 1 << iota
	BoardThrottled
)

func (*Board) recordKind() byte { return 13 }

func (b *Board) walkFields(p *cursor) {
	p.walkUint8(&b.KnownFields, &b.LifeTenths)
	walk64(p, &b.MilliCelsius)
	p.walkUint32(&b.Throttled)
	walk64(p, &b.WrittenBytes, &b.Errors, &b.MemoryFree, &b.MemoryTotal)
}

// The range of a temperature in °C/1000: from absolute zero to 1000 °C, above
// which no board works.
const (
	minMilliCelsius = -273_150
	maxMilliCelsius = 1_000_000
)

func (b *Board) checkRanges() error {
	if b.KnownFields > BoardTemperature|BoardThrottled || b.MilliCelsius < minMilliCelsius || b.MilliCelsius > maxMilliCelsius {
		return errors.New("a board that cannot be")
	}
	return nil
}

// Stored tells the supervisor that the uplink has put every record up to number N
// into its store. The store may hold it in memory while the disk fails.
type Stored struct{ N uint64 }

func (*Stored) recordKind() byte       { return 8 }
func (s *Stored) walkFields(p *cursor) { walk64(p, &s.N) }
func (s *Stored) checkRanges() error   { return nil }

// Finish asks the uplink to send its pending windows for at most DrainTimeout and
// to end.
type Finish struct{}

func (*Finish) recordKind() byte   { return 9 }
func (*Finish) walkFields(*cursor) {}
func (*Finish) checkRanges() error { return nil }
