package ipc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"reflect"
	"testing"
	"time"

	"kerb/counting"
	"kerb/counting/loop"
)

func encodeRecord(t testing.TB, m Record) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteRecord(&b, m); err != nil {
		t.Fatal(err)
	}
	if b.Len() != recordSize {
		t.Fatalf("%T is %d bytes", m, b.Len())
	}
	return b.Bytes()
}

func setChecksum(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[checksumAt:], crc32.Checksum(b[:checksumAt], castagnoli))
	return b
}

func fullTally() *Tally {
	t := &Tally{N: 1 << 40, Stream: 7, Quality: uint8(counting.Partial), Reason: 4, Observed: time.Hour}
	for c := range t.Peak {
		t.Peak[c], t.Presence[c] = uint32(c+1), time.Duration(c+1)*time.Minute
		for d := range t.Crossings[c] {
			t.Crossings[c][d] = uint32(100*c + d)
		}
	}
	return t
}

func sampleRecords() []Record {
	walls := &Walls{Sensor: 3, Landlock: 7}
	for i := range walls.State {
		walls.State[i] = uint8(1 + i%3)
	}
	return []Record{
		&Begin{-5, time.Hour, true},
		&CloseWindow{4, 10, 20, time.Minute, true},
		&Window{4, 10, 20, time.Minute, true, 65535},
		&Step{9, 20, 10, time.Second, true},
		&Heartbeat{2, 1 << 50, 3, true, true, true, counting.ViewFaults - 1, Detection{NeuralDetector, 2, 83}, 5, time.Millisecond, time.Second, true},
		walls, &SensorLost{1, 2, LostMalformed}, &Stored{1 << 63}, &Finish{}, fullTally(),
		&LoopFault{1, 2, 3, 1 << 5, true, 9}, &CameraFault{8, 1, counting.ViewFaults - 1, true}, &SpoolFound{3, 5, 2}, &CameraLost{9, 1, true, 4}, &Release{3, 1, 500, releaseBytes, [releaseBytes]byte{1, releaseBytes - 1: 2}}, &WantReceived{}, &WantResult{5, 7, 6, 2, 3, 12}, &Reload{8, 2, 1, 12}, &AuditHead{7, [32]byte{1, 31: 2}}, &AuditCut{4, 9, 3}, &Board{3, 54_530, 0x50005, 1 << 40, 2, 5, 1 << 29, 1 << 30},
	}
}

func TestReadInvertsWrite(t *testing.T) {
	for _, m := range sampleRecords() {
		got, err := ReadRecord(bytes.NewReader(encodeRecord(t, m)))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%T: got %+v, %v; want %+v", m, got, err, m)
		}
	}
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	for _, m := range sampleRecords() {
		good := encodeRecord(t, m)
		for bit := range 8 * recordSize {
			b := bytes.Clone(good)
			b[bit/8] ^= 1 << (bit % 8)
			if _, err := ReadRecord(bytes.NewReader(b)); !errors.Is(err, ErrForeign) {
				t.Fatalf("%T: bit %d: %v", m, bit, err)
			}
		}
	}
}

func TestATornRecordIsNoEnd(t *testing.T) {
	b := encodeRecord(t, &Finish{})
	if _, err := ReadRecord(bytes.NewReader(nil)); err != io.EOF {
		t.Errorf("empty input: %v", err)
	}
	if _, err := ReadRecord(bytes.NewReader(b[:recordSize-1])); !errors.Is(err, ErrForeign) {
		t.Errorf("a torn record: %v", err)
	}
}

// A record with a correct checksum is refused as well where a value is out of
// range or a byte beyond its fields is not zero.
func TestARecordOutOfRangeIsRefused(t *testing.T) {
	spare := encodeRecord(t, &Stored{1})
	spare[200] = 1
	flag := encodeRecord(t, &CloseWindow{N: 1, Start: 1, End: 2})
	flag[headSize+32] = 2
	for name, b := range map[string][]byte{
		"spare bytes":     spare,
		"a flag of two":   flag,
		"an unknown kind": append([]byte("kerb\x02\x7f"), make([]byte, recordSize-6)...),
		"another version": append([]byte("kerb\x03\x09"), make([]byte, recordSize-6)...),
		"picture-like":    bytes.Repeat([]byte{0xff, 0xd8}, recordSize/2),
	} {
		if m, err := ReadRecord(bytes.NewReader(setChecksum(b))); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	for name, change := range map[string]func(*Tally){
		"quality":            func(t *Tally) { t.Quality = 3 },
		"reason":             func(t *Tally) { t.Reason = 200 },
		"no reason":          func(t *Tally) { t.Reason = 0 },
		"negative time":      func(t *Tally) { t.Observed = -1 },
		"a day and more":     func(t *Tally) { t.Observed = 25 * time.Hour },
		"a crowd":            func(t *Tally) { t.Peak[0] = maxPresence + 1 },
		"too many crossings": func(t *Tally) { t.Crossings[1][0] = 1 << 30 },
		"a long presence":    func(t *Tally) { t.Presence[2] = 1 << 62 },
	} {
		bad := fullTally()
		change(bad)
		if err := WriteRecord(io.Discard, bad); err == nil {
			t.Errorf("%s: was sent", name)
		}
	}
}

func TestUnpackInvertsPack(t *testing.T) {
	w := &Window{N: 3, Start: ToInstant(time.Unix(900, 0)), End: ToInstant(time.Unix(1800, 0)), Mono: time.Hour}
	s := counting.Stream{ID: "kerb", Kind: counting.LineStream, Classes: []counting.Class{counting.Person}}
	in := counting.Tally{
		Stream: "kerb", Start: w.Start.Time(), End: w.End.Time(), Mono: time.Hour,
		Observed: 10 * time.Minute, Quality: counting.Partial, Reason: counting.ReasonCameraLost,
	}
	in.Counted[counting.Person] = true
	in.Crossings[counting.Person][counting.BToA] = 7
	out, err := PackTally(3, 0, in).Unpack(s, w)
	if err != nil || out != in {
		t.Errorf("got %+v, %v", out, err)
	}
	for name, change := range map[string]func(*Tally){
		"another window": func(t *Tally) { t.N++ },
		"another class":  func(t *Tally) { t.Crossings[counting.Heavy][0] = 1 },
		"presence":       func(t *Tally) { t.Peak[counting.Person] = 1 },
		"longer than it": func(t *Tally) { t.Observed = time.Hour },
	} {
		p := PackTally(3, 0, in)
		change(p)
		if _, err := p.Unpack(s, w); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// A single loop sees one direction; a crossing in the other one is a fault.
func TestATallyOfOneDirectionCountsOnlyThere(t *testing.T) {
	w := &Window{N: 3, Start: ToInstant(time.Unix(900, 0)), End: ToInstant(time.Unix(1800, 0)), Mono: time.Hour}
	s := counting.Stream{ID: "lane", Kind: counting.LoopStream, OneWay: counting.OnlyBToA, Classes: []counting.Class{counting.Vehicle}}
	for d, ok := range [counting.Directions]bool{counting.BToA: true} {
		p := &Tally{N: 3, Observed: time.Minute}
		p.Crossings[counting.Vehicle][d] = 1
		if out, err := p.Unpack(s, w); (err == nil) != ok || out.OneWay != counting.OnlyBToA {
			t.Errorf("%s: %+v, %v", counting.Direction(d), out, err)
		}
	}
}

// The bits are those of counting/loop, which this package does not import.
func TestFaultsThatAreFailures(t *testing.T) {
	for f, want := range map[loop.Fault]bool{
		loop.Relay: true, loop.CardMode: true, loop.StuckOn: true, loop.Chatter: true, loop.Silent: true,
		loop.Pair: false, loop.Missed: false, loop.Drift: false, loop.Daily: false, loop.Slow: false, loop.Standing: false,
	} {
		if got := (&LoopFault{FaultBit: uint16(f)}).IsFailure(); got != want {
			t.Errorf("%v: %t", f, got)
		}
		if got := (&LoopFault{FaultBit: uint16(f)}).StaysOnDevice(); got != (f == loop.Silent) {
			t.Errorf("%v stays on the device: %t", f, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, m := range sampleRecords() {
		f.Add(encodeRecord(f, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= recordSize {
			b = setChecksum(bytes.Clone(b[:recordSize])) // a correct checksum, so that the checks after it are reached
		}
		m, err := ReadRecord(bytes.NewReader(b))
		if err != nil {
			return
		}
		if !bytes.Equal(encodeRecord(t, m), b) {
			t.Errorf("%+v is not what was read", m)
		}
	})
}
