package cameratest

import (
	"net"
	"sync"
	"testing"
)

// Quirk is one deviation of real cameras, with a camera that has it. The columns
// FFmpeg, Curl and Kerb hold what each was measured to do with it; a test in
// package camera measures them again.
type Quirk struct {
	Name   string // what the camera does
	Report string // the public report it stands for
	// FFmpeg tells whether ffmpeg 5.1 decodes pictures from it.
	FFmpeg Result
	// Curl tells whether curl 7.88 receives the bytes of a picture from it. It does
	// not decode. Empty for RTSP.
	Curl Result
	// Kerb is Reads, or a part of the error that kerb reports.
	Kerb Result

	scheme string // http or rtsp
	path   string
	serve  func(conn net.Conn, pictures [][]byte)
}

// Result is the outcome of a program with a camera.
type Result string

// The results of programs other than kerb.
const (
	Reads   Result = "reads"
	Refuses Result = "refuses"
)

// Still reports whether the camera answers each request with one picture.
func (q Quirk) Still() bool { return q.path == "/still.jpg" }

// Quirks returns all rows of the kit.
func Quirks() (all []Quirk) {
	all = append(all, jpegQuirks()...)
	all = append(all, httpQuirks()...)
	all = append(all, rtspQuirks()...)
	return all
}

// Serve starts the camera of a row on a free local port until the test ends and
// returns its address. It shows the pictures, JPEGs with chroma as 4:2:0 and sides
// that are multiples of 16, in turn.
func (q Quirk) Serve(tb testing.TB, pictures [][]byte) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var mu sync.Mutex
	conns, ended := map[net.Conn]bool{}, false
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			if ended {
				c.Close()
			}
			conns[c] = true
			mu.Unlock()
			serving.Go(func() {
				defer func() {
					c.Close()
					mu.Lock()
					delete(conns, c)
					mu.Unlock()
				}()
				q.serve(c, pictures)
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		mu.Lock()
		ended = true
		for c := range conns {
			c.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return q.scheme + "://" + l.Addr().String() + q.path
}
