package camera

import (
	"bytes"
	"io"
	"testing"
)

// set counts the bytes that are not 0.
func set(b []byte) int { return len(b) - bytes.Count(b, []byte{0}) }

func TestSourcesKeepNothingOfAPicture(t *testing.T) {
	all := spoiled(t)
	var paths []string
	for _, p := range all {
		paths = append(paths, file(t, "x.jpg", p))
	}
	a := open(t, avi(all...), Limits{})
	s, err := OpenStills(paths, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	f := stream(t, bytes.NewReader(bytes.Join(all, nil)), Limits{})
	dst := make([]byte, 83*61)

	if _, err := a.next(); err != nil || set(a.buf) < 1000 {
		t.Fatalf("the test finds nothing in a picture at hand: %d bytes (%v)", set(a.buf), err)
	}
	a.walk, a.frame = a.start, 0
	for i := range all {
		a.ReadInto(t.Context(), dst)
		s.ReadInto(t.Context(), dst)
		f.ReadInto(t.Context(), dst)
		if n := set(a.buf[:cap(a.buf)]); n > 0 {
			t.Errorf("AVI, picture %d: %d bytes", i, n)
		}
		if n := set(s.buf[:cap(s.buf)]); n > 0 {
			t.Errorf("stills, picture %d: %d bytes", i, n)
		}
		before, after := f.split.buf[:f.split.start], f.split.buf[f.split.end:]
		if n := set(before) + set(after); n > 0 {
			t.Errorf("stream, picture %d: %d bytes beside those to come", i, n)
		}
	}
	if _, err := f.ReadInto(t.Context(), dst); err != io.EOF || set(f.split.buf) > 2 {
		t.Errorf("stream: %d bytes at the end (%v)", set(f.split.buf), err)
	}
	for range cap(f.split.pump.free) {
		select {
		case b := <-f.split.pump.free:
			if n := set(b); n > 0 {
				t.Errorf("pump: %d bytes", n)
			}
		default:
		}
	}
}
