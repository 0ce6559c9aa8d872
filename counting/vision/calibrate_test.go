package vision

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"kerb/counting/neural"
)

// greySource delivers n pictures of one grey, then err, and keeps the buffer that
// they went into.
type greySource struct {
	n    int
	err  error
	last []byte
}

func (a *greySource) ReadInto(_ context.Context, dst []byte) (time.Time, error) {
	a.last = dst
	for i := range dst {
		dst[i] = 200
	}
	if a.n--; a.n < 0 {
		return time.Time{}, a.err
	}
	return time.Time{}, nil
}

func TestCalibrationForgetsItsPictures(t *testing.T) {
	torn := errors.New("torn")
	for _, end := range []error{io.EOF, torn} {
		a, net := &greySource{n: 3, err: end}, newTinyNetwork(t)
		n, err := Calibrate(t.Context(), net, a, 80, 60, neural.Ranges{})
		if n != 3 || errors.Is(end, torn) != errors.Is(err, torn) {
			t.Errorf("%d pictures, %v", n, err)
		}
		in, _ := net.Input("")
		for i, v := range a.last {
			if v != 0 {
				t.Fatalf("pixel %d is still %d", i, v)
			}
		}
		for i, v := range in {
			if v != 0 {
				t.Fatalf("input %d is still %g", i, v)
			}
		}
	}
}
