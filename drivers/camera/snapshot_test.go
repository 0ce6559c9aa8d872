package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// within is a network of one server, made of pipes, so that time can be made up.
type within struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newWithin() *within { return &within{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (w *within) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *within) Close() error   { w.once.Do(func() { close(w.closed) }); return nil }
func (w *within) Addr() net.Addr { return &net.TCPAddr{} }

// dial may be called while the listener closes: a client's transport dials on when
// its request was cancelled.
func (w *within) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case w.conns <- far:
		return near, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

// street is a server with one picture, and what it was asked.
type street struct {
	serve http.HandlerFunc
	begun time.Time
	asked []time.Duration // since the start
	heads []http.Header
}

func (s *street) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, time.Since(s.begun))
	s.heads = append(s.heads, r.Header)
	s.serve(w, r)
}

// look reads from the street for so long, opening it again whenever it ends, and
// says how many pictures there were, and the errors.
func (s *street) look(t *testing.T, o SnapshotOpts, patience time.Duration) (pictures, same int, errs []error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := newWithin()
		server := &http.Server{Handler: s}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(net) })
		s.begun, o.Dial = time.Now(), net.dial
		asked := new(PollState)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for ctx.Err() == nil {
			c, err := OpenSnapshot(ctx, "http://user:sesame@camera/now.jpg?key=sesame", small, o, asked)
			for dst := []byte(nil); err == nil; {
				if w, h := c.Size(); dst == nil {
					dst = make([]byte, w*h)
				}
				_, err = c.ReadInto(ctx, dst)
				switch {
				case err == nil:
					pictures++
				case err == ErrUnchanged:
					same++
					err = nil
				case isBadFrame(err):
					errs = append(errs, err)
					err = nil
				default:
					c.Close()
				}
			}
			if ctx.Err() == nil {
				errs = append(errs, err)
			}
		}
		server.Close()
		serving.Wait()
	})
	for _, err := range errs {
		if strings.Contains(err.Error(), "sesame") {
			t.Errorf("%v: tells the password", err)
		}
	}
	return pictures, same, errs
}

// now is what the street shows: another picture every so often.
func (s *street) now(t *testing.T, every time.Duration) []byte {
	return picture(t, 48, 32, int(time.Since(s.begun)/every))
}

func every(d time.Duration) SnapshotOpts { return SnapshotOpts{PollEvery: d} }

func TestAPictureIsCountedOnce(t *testing.T) {
	for name, by := range map[string]func(w http.ResponseWriter, r *http.Request, n int) bool{
		"by its bytes": func(http.ResponseWriter, *http.Request, int) bool { return false },
		"by its ETag": func(w http.ResponseWriter, r *http.Request, n int) bool {
			tag := fmt.Sprintf(`W/"%d"`, n)
			w.Header().Set("ETag", tag)
			return r.Header.Get("If-None-Match") == tag
		},
		"by its time": func(w http.ResponseWriter, r *http.Request, n int) bool {
			at := time.Unix(int64(n), 0).UTC().Format(http.TimeFormat)
			w.Header().Set("Last-Modified", at)
			return r.Header.Get("If-Modified-Since") == at
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &street{}
			unchanged := 0
			s.serve = func(w http.ResponseWriter, r *http.Request) {
				if by(w, r, int(time.Since(s.begun)/(5*time.Minute))) {
					unchanged++
					w.WriteHeader(http.StatusNotModified)
					return
				}
				_, _ = w.Write(s.now(t, 5*time.Minute))
			}
			pictures, same, errs := s.look(t, every(time.Minute), time.Hour-time.Second)
			if pictures != 12 || len(errs) > 0 {
				t.Errorf("%d pictures of 12, %v", pictures, errs)
			}
			if len(s.asked) < 54 || len(s.asked) > 60 || same != len(s.asked)-12 {
				t.Errorf("asked %d times, %d times the same", len(s.asked), same)
			}
			if want := len(s.asked) - 12; name != "by its bytes" && unchanged != want {
				t.Errorf("said to be unchanged %d times of %d", unchanged, want)
			}
			if agent := s.heads[0].Get("User-Agent"); !strings.Contains(agent, "kerb") {
				t.Errorf("it calls itself %q", agent)
			}
		})
	}
}

// gaps are the times between two askings.
func (s *street) gaps() (all []time.Duration) {
	for i := range s.asked[1:] {
		all = append(all, s.asked[i+1]-s.asked[i])
	}
	return all
}

func TestACameraIsLeftAlone(t *testing.T) {
	cases := map[string]struct {
		every time.Duration
		serve http.HandlerFunc
		least time.Duration // between two askings
		most  time.Duration
		falls bool // what comes is an error
	}{
		"never more often than it may be": {every: time.Millisecond, least: MinPollEvery, most: 11 * time.Second},
		"half as often while its picture is fresh": {every: time.Minute, least: 2 * time.Minute, most: 2 * time.Minute, serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=660")
			w.Header().Set("Age", "60")
		}},
		"half as often until its picture expires": {every: time.Minute, least: 2 * time.Minute, most: 2 * time.Minute, serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Unix(0, 0).UTC().Format(http.TimeFormat))
			w.Header().Set("Expires", time.Unix(180, 0).UTC().Format(http.TimeFormat))
		}},
		"but not for ever": {every: time.Minute, least: 2 * time.Minute, most: 2 * time.Minute, serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=99999999")
		}},
		"for as long as every says, if fresh for less": {every: time.Minute, least: time.Minute, most: 66 * time.Second, serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=30")
		}},
		"not for no-cache": {every: time.Minute, least: time.Minute, most: 66 * time.Second, serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=660")
			w.Header().Add("Cache-Control", "No-Cache")
		}},
		"when it asks for it": {every: time.Minute, least: 7 * time.Minute, most: 7 * time.Minute, falls: true, serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "420")
			w.WriteHeader(http.StatusTooManyRequests)
		}},
		"when it is broken": {every: time.Minute, least: MinPollEvery, most: 66 * time.Second, falls: true, serve: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
		}},
		"when it sends nonsense": {every: time.Minute, least: MinPollEvery, most: 66 * time.Second, falls: true, serve: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<html>")
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := &street{}
			n := 0
			s.serve = func(w http.ResponseWriter, r *http.Request) {
				if c.serve != nil {
					c.serve(w, r)
				}
				if n++; !c.falls {
					_, _ = w.Write(picture(t, 48, 32, n))
				}
			}
			pictures, _, errs := s.look(t, every(c.every), 20*c.most)
			if c.falls != (len(errs) > 0) || c.falls != (pictures == 0) {
				t.Errorf("%d pictures, %v", pictures, errs)
			}
			if least, most := slices.Min(s.gaps()), slices.Max(s.gaps()); least < c.least || most > c.most {
				t.Errorf("asked after %s to %s, must be %s to %s", least, most, c.least, c.most)
			}
		})
	}
}

func TestCachingHeadersThatAskForMoreAreToldOnce(t *testing.T) {
	var p PollState
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Cache-Control": {"max-age=30"}}}
	p.readMinWait(res, time.Now())
	p.scheduleNext(time.Now(), time.Minute)
	if fresh, ok := p.TakeStretched(); ok {
		t.Errorf("told of %v within the interval", fresh)
	}
	res.Header.Set("Cache-Control", "private, max-age=604800")
	for _, want := range []bool{true, false} {
		p.readMinWait(res, time.Now())
		p.scheduleNext(time.Now(), time.Minute)
		if fresh, ok := p.TakeStretched(); ok != want || ok && fresh != 7*24*time.Hour {
			t.Errorf("told %v, of %v; must be %v", ok, fresh, want)
		}
	}
}

// A picture that cannot be read is neither known the next time nor the end of the
// back-off.
func TestAnUnreadablePictureIsNoPictureSeen(t *testing.T) {
	s := &street{}
	torn := picture(t, 48, 32, 0)
	torn = torn[:len(torn)*3/4]
	s.serve = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			t.Error("asked whether an unreadable picture has changed")
		}
		w.Header().Set("ETag", `"torn"`)
		_, _ = w.Write(torn)
	}
	pictures, same, errs := s.look(t, every(5*time.Minute), 20*time.Minute)
	if pictures != 0 || same != 0 || len(errs) < 4 {
		t.Errorf("%d pictures, %d the same, %v", pictures, same, errs)
	}
	if g := s.gaps(); g[0] > 11*time.Second || g[1] < 20*time.Second || g[1] > 22*time.Second || g[2] < 40*time.Second {
		t.Errorf("asked after %s", g)
	}
}

// A download that the end of its context cuts is no picture, and the next request
// waits as after any other.
func TestACutDownloadIsForgotten(t *testing.T) {
	whole := picture(t, 48, 32, 1)
	synctest.Test(t, func(t *testing.T) {
		network, asked := newWithin(), 0
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked != 2 {
				_, _ = w.Write(whole)
				return
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			_, _ = w.Write(whole[:len(whole)/2])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(network) })
		o := every(10 * time.Second)
		o.Dial = network.dial
		c, err := OpenSnapshot(t.Context(), "http://camera/now.jpg", small, o, new(PollState))
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 48*32)
		if _, err := c.ReadInto(t.Context(), dst); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		_, err = c.ReadInto(short, dst)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || asked != 2 {
			t.Fatalf("asked %d times: %v", asked, err)
		}
		begun := time.Now()
		if _, err := c.ReadInto(t.Context(), dst); err != nil && err != ErrUnchanged {
			t.Errorf("after the cut download: %v", err)
		}
		if wait := time.Since(begun); wait < 7*time.Second {
			t.Errorf("asked again after %v", wait)
		}
		c.Close()
		server.Close()
		serving.Wait()
	})
}

// After a failure it is asked again sooner than usual, and the picture seen before
// it is known after it.
func TestACameraThatComesBackShowsNothingTwice(t *testing.T) {
	s := &street{}
	s.serve = func(w http.ResponseWriter, _ *http.Request) {
		if n := len(s.asked); n > 2 && n < 6 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write(s.now(t, time.Hour))
	}
	pictures, same, errs := s.look(t, every(5*time.Minute), 40*time.Minute)
	if pictures != 1 || same < 2 || len(errs) != 3 {
		t.Errorf("%d pictures, %d the same, %v", pictures, same, errs)
	}
	if g := s.gaps(); g[2] > 11*time.Second || g[3] > 22*time.Second {
		t.Errorf("asked after %s", g)
	}
}

func TestPicturesThatAreNone(t *testing.T) {
	torn := picture(t, 48, 32, 0)
	torn = torn[:len(torn)-20]
	for want, serve := range map[string]http.HandlerFunc{
		"text (text/plain): must be a JPEG picture or an MP4 clip": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "sorry, no camera") },
		"camera sends nothing": func(http.ResponseWriter, *http.Request) {},
		"leave out every": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=x")
		},
		"65537 bytes: more than 65536": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "65537")
			_, _ = w.Write(make([]byte, 65537))
		},
		"more than 65536 bytes": func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				_, _ = w.Write(make([]byte, 1<<10))
				w.(http.Flusher).Flush()
			}
		},
		"83 % of it is there": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4000")
			_, _ = w.Write(torn)
		},
		"picture 0":                    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(torn) },
		"is too large":                 func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bomb(t)) },
		"an MP4 file without an index": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "\x00\x00\x00\x08ftyp") },
		"no picture in 10s":            func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"redirects to another": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere/", http.StatusFound)
		},
		"camera answers 304 Not": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
	} {
		t.Run(want, func(t *testing.T) {
			pictures, _, errs := (&street{serve: serve}).look(t, every(time.Minute), 30*time.Second)
			if pictures > 0 || len(errs) == 0 || !strings.Contains(errs[0].Error(), want) {
				t.Errorf("%d pictures, %v", pictures, errs)
			}
		})
	}
}

// A picture of another size ends the source, and is the first of the next one.
func TestASnapshotOfAnotherSize(t *testing.T) {
	s := &street{}
	s.serve = func(w http.ResponseWriter, _ *http.Request) {
		if len(s.asked) < 3 {
			_, _ = w.Write(picture(t, 48, 32, len(s.asked)))
			return
		}
		_, _ = w.Write(picture(t, 64, 32, 0))
	}
	pictures, _, errs := s.look(t, every(time.Minute), 10*time.Minute)
	if pictures != 3 || len(errs) != 1 || !strings.Contains(errs[0].Error(), "is 64×32, the ones before were 48×32") {
		t.Errorf("%d pictures, %v", pictures, errs)
	}
}

func TestASnapshotThatWaitsCanBeClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newWithin()
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(picture(t, 48, 32, 0)) })}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(net) })
		o := every(time.Hour)
		o.Dial = net.dial
		c, err := OpenSnapshot(t.Context(), "http://camera/", small, o, new(PollState))
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 48*32)
		if _, err := c.ReadInto(t.Context(), dst); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.ReadInto(ctx, dst); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		time.AfterFunc(time.Second, func() { c.Close() })
		if _, err := c.ReadInto(t.Context(), dst); err != ErrClosed {
			t.Errorf("%v", err)
		}
		server.Close()
		serving.Wait()
	})
}

// recorded is a clip as most writers make it, with its index at the end.
func recorded(tb testing.TB, words ...string) []byte {
	tb.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		tb.Skip("no ffmpeg: install the package ffmpeg")
	}
	path := filepath.Join(tb.TempDir(), "clip.mp4")
	out, err := exec.Command("ffmpeg", append(append([]string{
		"-hide_banner", "-loglevel", "error", "-nostdin",
		"-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10", "-t", "5", "-c:v", "libx264", "-pix_fmt", "yuv420p",
	}, words...), path)...).CombinedOutput()
	if err != nil {
		tb.Fatalf("ffmpeg: %v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestAClipIsSeenOncePerSecond(t *testing.T) {
	for name, words := range map[string][]string{"index last": nil, "index first": {"-movflags", "faststart"}, "in fragments": {"-movflags", "frag_keyframe+empty_moov"}} {
		t.Run(name, func(t *testing.T) {
			file := recorded(t, words...)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(file) }))
			defer server.Close()
			o := every(time.Minute)
			c, err := OpenSnapshot(t.Context(), server.URL, small, o, new(PollState))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			dst := make([]byte, 64*48)
			var last time.Time
			for n := range 5 {
				at, err := c.ReadInto(t.Context(), dst)
				if err != nil {
					t.Fatalf("picture %d: %v", n, err)
				}
				if n > 0 && at.Sub(last) != time.Second {
					t.Errorf("picture %d is %s after the one before", n, at.Sub(last))
				}
				last = at
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if at, err := c.ReadInto(ctx, dst); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a sixth picture, %s after the fifth: %v", at.Sub(last), err)
			}
		})
	}
}

// FuzzMP4 is what a hostile server can send as a clip.
func FuzzMP4(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x08ftyp\x00\x00\x00\x0cmdatabcd\x00\x00\x00\x38moov\x00\x00\x00\x30trak\x00\x00\x00\x28mdia\x00\x00\x00\x20minf\x00\x00\x00\x18stbl\x00\x00\x00\x10stco\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x08ftyp\x00\x00\x00\x01mdat\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00moov"))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := newMP4Reader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		for range 1000 {
			s, err := m.next()
			if err != nil {
				return
			}
			if s.at < 0 || s.size < 0 || s.at+s.size > int64(len(file)) {
				t.Fatalf("a sample of %d bytes at %d in %d", s.size, s.at, len(file))
			}
		}
	})
}

// An empty street and one that a walker passes give as many new pictures, whether the
// camera has noise or none: how many there were is told without noise.
func TestAWalkerMakesNoPictureNew(t *testing.T) {
	const every, patience = 10 * time.Second, 5 * time.Minute
	for _, noise := range []bool{false, true} {
		count := func(walker bool) (pictures, same int, bodies map[string]bool) {
			bodies = map[string]bool{}
			s := &street{}
			s.serve = func(w http.ResponseWriter, _ *http.Request) {
				n := len(s.asked)
				body := streetJPEG(t, n, noise, walker && n > 5 && n < 12)
				bodies[string(body)] = true
				_, _ = w.Write(body)
			}
			pictures, same, errs := s.look(t, SnapshotOpts{PollEvery: every}, patience)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			return pictures, pictures + same, bodies
		}
		nobody, polls, still := count(false)
		one, _, moved := count(true)
		if (nobody > 1) != noise || (one > 1) != noise || noise && one < polls/2 {
			t.Errorf("noise %t: %d new pictures of an empty street, %d with a walker, in some %d", noise, nobody, one, polls)
		}
		if !noise && (len(still) != 1 || len(moved) < 4) {
			t.Errorf("control: %d and %d pictures differ by their bytes", len(still), len(moved))
		}
	}
}

// streetJPEG is picture n of a street of 96×72 pixels.
func streetJPEG(t *testing.T, n int, noise, walker bool) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 96, 72))
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for y := range 72 {
		for x := range 96 {
			v := 60 + 100*((x/7+y/5)%2)
			if walker && x >= 8*(n%8) && x < 8*(n%8)+7 && y >= 30 && y < 60 {
				v = 230
			}
			if noise {
				v += r.IntN(25)
			}
			img.Pix[y*img.Stride+x] = byte(v)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
