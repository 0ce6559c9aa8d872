package cameratest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"
)

// fake is a source that does all right, but for one fault.
type fake struct {
	fault string
	n     int
	over  error
	once  sync.Once
	stop  chan struct{}
	stall bool
}

const fakePictures = 8

type badFrame int

func (b badFrame) Error() string { return fmt.Sprintf("picture %d", int(b)) }
func (b badFrame) BadFrame() int { return int(b) }

func (f *fake) Size() (w, h int) { return 4, 3 }

func (f *fake) Close() (err error) {
	if f.fault == "close twice" && f.over != nil {
		return f.over
	}
	f.over = errors.New("closed")
	if f.fault != "stay after close" {
		f.once.Do(func() { close(f.stop) })
	}
	return nil
}

var sink []byte

func (f *fake) ReadInto(ctx context.Context, dst []byte) (time.Time, error) {
	if err := ctx.Err(); err != nil && f.fault != "ignore context" {
		return time.Time{}, err
	}
	select {
	case <-f.stop:
		return time.Time{}, errors.New("closed")
	default:
	}
	switch {
	case len(dst) == 12 || f.fault == "any length":
	case f.fault == "write, then refuse":
		clear(dst)
		fallthrough
	default:
		return time.Time{}, errors.New("wrong length")
	}
	n := f.n
	if f.n == fakePictures && f.stall {
		select {
		case <-f.stop:
			return time.Time{}, errors.New("closed")
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
	if f.n == fakePictures {
		if f.fault == "start again" {
			f.n = 0
		}
		return time.Time{}, io.EOF
	}
	f.n++
	if f.fault == "lose the last" && f.n == fakePictures {
		return time.Time{}, io.EOF
	}
	if n == 5 {
		if f.fault == "wrong number" {
			n++
		}
		if f.fault != "hide" {
			return time.Time{}, badFrame(n)
		}
	}
	if f.fault == "allocate" {
		sink = make([]byte, 12)
	}
	clear(dst)
	if f.fault == "write beyond" {
		dst[:13][12] = 0
	}
	if f.fault == "back in time" {
		n = -n
	}
	return time.Unix(int64(n), 0), nil
}

func fakeCase(fault string) Case {
	fresh := func(stall bool) func() (Source, error) {
		return func() (Source, error) {
			return &fake{fault: fault, stop: make(chan struct{}), stall: stall}, nil
		}
	}
	c := Case{Open: fresh(false), OpenStalled: fresh(true), Pictures: fakePictures, BadPictures: []int{5}}
	if fault == "allocate" { // the numbers of bad pictures are boxed in errors
		c.BadPictures = nil
	}
	return c
}

func TestKitAcceptsASourceWithoutFault(t *testing.T) { TestSource(t, fakeCase("")) }

func TestKitFindsEachFault(t *testing.T) {
	for fault, want := range map[string]string{
		"write beyond":       "fills a buffer of its size and nothing around it",
		"any length":         "refuses a buffer of another size and leaves it alone",
		"write, then refuse": "refuses a buffer of another size and leaves it alone",
		"hide":               "names bad pictures and goes on after them",
		"wrong number":       "names bad pictures and goes on after them",
		"lose the last":      "names bad pictures and goes on after them",
		"back in time":       "never goes back in time",
		"start again":        "ends with EOF for good",
		"ignore context":     "heeds a context that has ended, and goes on with another",
		"close twice":        "can be closed twice, and is then over",
		"stay after close":   "can be closed twice, and is then over",
		"allocate":           "allocates nothing for a picture",
	} {
		t.Run(fault, func(t *testing.T) {
			for _, p := range properties {
				if p.name == want && p.run(fakeCase(fault)) == nil {
					t.Errorf("%q found nothing", want)
				}
			}
		})
	}
}
