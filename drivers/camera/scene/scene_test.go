package scene

import (
	"context"
	"io"
	"testing"
	"time"
)

func open(t testing.TB, o Opts) *Scene {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestPicturesAreTimedAndEnd(t *testing.T) {
	s := open(t, Opts{Width: 160, Height: 96, Rate: 4, Frames: 3})
	buf := make([]byte, 160*96)
	for i := range 3 {
		at, err := s.ReadInto(context.Background(), buf)
		if want := time.Unix(0, 0).UTC().Add(time.Duration(i) * 250 * time.Millisecond); err != nil || !at.Equal(want) {
			t.Fatalf("picture %d: %v, %v; want %v", i, at, err, want)
		}
	}
	if _, err := s.ReadInto(context.Background(), buf); err != io.EOF {
		t.Fatalf("after the last picture: %v; want EOF", err)
	}
}
