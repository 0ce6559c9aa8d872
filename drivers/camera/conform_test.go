package camera

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"kerb/drivers/camera/cameratest"
)

// spoiled are pictures of which number 3 is cut short and number 5 is none.
func spoiled(tb testing.TB) [][]byte {
	all := pictures(tb, 9)
	all[3] = all[3][:len(all[3])/2]
	all[5] = []byte("\xff\xd8\xffnot a picture")
	return all
}

// opened fits the concrete results of the openers to the kit.
func opened[S cameratest.Source](s S, err error) (cameratest.Source, error) { return s, err }

func TestAVIConforms(t *testing.T) {
	path := file(t, "good.avi", avi(pictures(t, 12)...))
	cameratest.TestSource(t, cameratest.Case{
		Open:     func() (cameratest.Source, error) { return opened(OpenAVI(path, Limits{})) },
		Pictures: 12,
	})
}

func TestAVIWithBadPicturesConforms(t *testing.T) {
	path := file(t, "bad.avi", avi(spoiled(t)...))
	cameratest.TestSource(t, cameratest.Case{
		Open:        func() (cameratest.Source, error) { return opened(OpenAVI(path, Limits{})) },
		Pictures:    9,
		BadPictures: []int{3, 5},
	})
}

func TestStillsConform(t *testing.T) {
	for name, bad := range map[string][]int{"all good": nil, "two bad": {3, 5}} {
		t.Run(name, func(t *testing.T) {
			all := pictures(t, 9)
			if bad != nil {
				all = spoiled(t)
			}
			var paths []string
			for i, p := range all {
				paths = append(paths, file(t, fmt.Sprintf("%d.jpg", i), p))
			}
			cameratest.TestSource(t, cameratest.Case{
				Open:        func() (cameratest.Source, error) { return opened(OpenStills(paths, Limits{})) },
				Pictures:    9,
				BadPictures: bad,
				// A file cannot be opened without it.
				Allocates: true,
			})
		})
	}
}

// endless gives its bytes and then nothing more, until it is closed.
type endless struct {
	io.Reader
	stop chan struct{}
}

func (e *endless) Close() error { close(e.stop); return nil }

func (e *endless) Read(b []byte) (int, error) {
	n, err := e.Reader.Read(b)
	if err == io.EOF {
		<-e.stop
		return 0, io.ErrClosedPipe
	}
	return n, err
}

func TestStreamConforms(t *testing.T) {
	for name, bad := range map[string][]int{"all good": nil, "two bad": {3, 5}} {
		t.Run(name, func(t *testing.T) {
			all := pictures(t, 9)
			if bad != nil {
				all = spoiled(t)
			}
			data := bytes.Join(all, []byte("\r\ngarbage \xff\xff\x00 \xff\xd9"))
			cameratest.TestSource(t, cameratest.Case{
				Open: func() (cameratest.Source, error) {
					return opened(OpenStream(bytes.NewReader(data), Limits{}, 10))
				},
				OpenStalled: func() (cameratest.Source, error) {
					return opened(OpenStream(&endless{bytes.NewReader(data), make(chan struct{})}, Limits{}, 0))
				},
				Pictures:    9,
				BadPictures: bad,
			})
		})
	}
}

// openGray opens raw pictures of w×h bytes, with an hour to wait for each.
func openGray(r io.Reader, w, h int, l Limits) (Pipe, error) {
	return OpenPipe(context.Background(), r, Layout{Width: w, Height: h}, l, Live{Stall: time.Hour, Connect: time.Hour})
}

func TestRawConforms(t *testing.T) {
	data := make([]byte, 40*30*9)
	cameratest.TestSource(t, cameratest.Case{
		Open: func() (cameratest.Source, error) { return opened(openGray(bytes.NewReader(data), 40, 30, Limits{})) },
		OpenStalled: func() (cameratest.Source, error) {
			return opened(openGray(&endless{bytes.NewReader(data), make(chan struct{})}, 40, 30, Limits{}))
		},
		Pictures: 9,
	})
}

func TestRawThatEndsInsideAPictureConforms(t *testing.T) {
	data := make([]byte, 40*30*9+100)
	cameratest.TestSource(t, cameratest.Case{
		Open:        func() (cameratest.Source, error) { return opened(openGray(bytes.NewReader(data), 40, 30, Limits{})) },
		Pictures:    10,
		BadPictures: []int{9},
	})
}

// serve is a camera that sends pictures as parts.
func serve(tb testing.TB, all [][]byte, stall bool) string {
	tb.Helper()
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		for _, p := range all {
			fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(p), p)
		}
		if stall {
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-over:
			}
			return
		}
		fmt.Fprint(w, "--frame--\r\n")
	}))
	tb.Cleanup(func() { close(over); s.Close() })
	return s.URL
}

func TestMJPEGConforms(t *testing.T) {
	for name, bad := range map[string][]int{"all good": nil, "two bad": {3, 5}} {
		t.Run(name, func(t *testing.T) {
			all := pictures(t, 9)
			if bad != nil {
				all = spoiled(t)
			}
			whole, stalled := serve(t, all, false), serve(t, all, true)
			cameratest.TestSource(t, cameratest.Case{
				Open: func() (cameratest.Source, error) {
					return opened(OpenMJPEG(t.Context(), whole, Limits{}, HTTPOpts{}))
				},
				OpenStalled: func() (cameratest.Source, error) {
					return opened(OpenMJPEG(t.Context(), stalled, Limits{}, HTTPOpts{}))
				},
				Pictures:    9,
				BadPictures: bad,
				Allocates:   true, // net/http does
			})
		})
	}
}
