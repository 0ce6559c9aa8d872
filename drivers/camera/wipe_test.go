package camera

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"
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

	if _, err := a.readFrame(); err != nil || set(a.buf) < 1000 {
		t.Fatalf("the test finds nothing in a picture at hand: %d bytes (%v)", set(a.buf), err)
	}
	a.chunks, a.index = a.firstFrame, 0
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
		before, after := f.splitter.buf[:f.splitter.start], f.splitter.buf[f.splitter.end:]
		if n := set(before) + set(after); n > 0 {
			t.Errorf("stream, picture %d: %d bytes beside those to come", i, n)
		}
	}
	if _, err := f.ReadInto(t.Context(), dst); err != io.EOF || set(f.splitter.buf) > 2 {
		t.Errorf("stream: %d bytes at the end (%v)", set(f.splitter.buf), err)
	}
	for range cap(f.splitter.chunks.empty) {
		select {
		case b := <-f.splitter.chunks.empty:
			if n := set(b); n > 0 {
				t.Errorf("chunks: %d bytes", n)
			}
		default:
		}
	}
}

// lender is a Memory that knows what it has lent.
type lender struct {
	out  map[*byte]int
	most int // bytes out at once
}

func (l *lender) Bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	l.out[&b[0]] = n
	sum := 0
	for _, n := range l.out {
		sum += n
	}
	l.most = max(l.most, sum)
	return b, nil
}

func (l *lender) Free(b []byte) {
	if cap(b) > 0 {
		clear(b[:cap(b)])
		delete(l.out, &b[:1][0])
	}
}

func TestAClosedSourceHasGivenItsMemoryBack(t *testing.T) {
	all := spoiled(t)
	path := file(t, "x.avi", avi(all...))
	var paths []string
	for _, p := range all {
		paths = append(paths, file(t, "x.jpg", p))
	}
	type source interface {
		ReadInto(context.Context, []byte) (time.Time, error)
		Close() error
	}
	for name, open := range map[string]func(Limits) (source, error){
		"AVI":    func(l Limits) (source, error) { return opened(OpenAVI(path, l)) },
		"stills": func(l Limits) (source, error) { return opened(OpenStills(paths, l)) },
		"stream": func(l Limits) (source, error) { return opened(OpenStream(bytes.NewReader(bytes.Join(all, nil)), l, 0)) },
		"raw": func(l Limits) (source, error) {
			return opened(openGray(bytes.NewReader(make([]byte, 83*61*3)), 83, 61, l))
		},
		"a stream without a picture": func(l Limits) (source, error) {
			return opened(OpenStream(bytes.NewReader(make([]byte, 1000)), l, 0))
		},
		"an AVI without a picture": func(l Limits) (source, error) {
			return opened(OpenAVI(file(t, "y.avi", avi([]byte("no picture"))), l))
		},
	} {
		l := &lender{out: map[*byte]int{}}
		s, err := open(Limits{Memory: l})
		if err == nil {
			dst := make([]byte, 83*61)
			for range all {
				s.ReadInto(t.Context(), dst)
			}
			s.Close()
			if _, err := s.ReadInto(t.Context(), dst); err != ErrClosed {
				t.Errorf("%s: %v after Close", name, err)
			}
		}
		if l.most == 0 || len(l.out) > 0 {
			t.Errorf("%s: it took %d bytes and kept %d pieces", name, l.most, len(l.out))
		}
	}
}
