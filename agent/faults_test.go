package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/pion/rtp"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/demo"
	"kerb/agent/handover"
	"kerb/agent/opener"
	"kerb/agent/policy"
	"kerb/agent/sensor"
	"kerb/counting"
)

// rtspServer is an RTSP server. It passes the stream that is published under a path to each
// client that plays this path with the right password.
type rtspServer struct {
	server  *gortsplib.Server
	mu      sync.Mutex
	streams map[string]*gortsplib.ServerStream
	by      map[*gortsplib.ServerSession]string
}

const viewer, sesame = "viewer", "se?same 1"

func startRelay(t *testing.T) (*rtspServer, string) {
	t.Helper()
	r := &rtspServer{streams: map[string]*gortsplib.ServerStream{}, by: map[*gortsplib.ServerSession]string{}}
	port, even := freePort(t), freePort(t)&^1
	r.server = &gortsplib.Server{
		Handler: r, RTSPAddress: fmt.Sprintf("127.0.0.1:%d", port),
		UDPRTPAddress: fmt.Sprintf("127.0.0.1:%d", even), UDPRTCPAddress: fmt.Sprintf("127.0.0.1:%d", even+1),
	}
	if err := r.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.server.Close)
	return r, fmt.Sprintf("127.0.0.1:%d", port)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (r *rtspServer) stream(path string) *gortsplib.ServerStream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.streams[strings.Trim(path, "/")]
}

func (r *rtspServer) OnDescribe(c *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if !c.Conn.VerifyCredentials(c.Request, viewer, sesame) {
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	if s := r.stream(c.Path); s != nil {
		return &base.Response{StatusCode: base.StatusOK}, s, nil
	}
	return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
}

func (r *rtspServer) OnAnnounce(c *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	s := &gortsplib.ServerStream{Server: r.server, Desc: c.Description}
	if err := s.Initialize(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	path := strings.Trim(c.Path, "/")
	r.streams[path], r.by[c.Session] = s, path
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (r *rtspServer) OnSetup(c *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if c.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return &base.Response{StatusCode: base.StatusOK}, nil, nil
	}
	if s := r.stream(c.Path); s != nil {
		return &base.Response{StatusCode: base.StatusOK}, s, nil
	}
	return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
}

func (r *rtspServer) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (r *rtspServer) OnRecord(c *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	s := r.stream(c.Path)
	c.Session.OnPacketRTPAny(func(m *description.Media, _ format.Format, p *rtp.Packet) { _ = s.WritePacketRTP(m, p) })
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// wire is a TCP proxy that can cut, stall and garble its connections.
type wire struct {
	to    string
	addr  string
	mu    sync.Mutex
	l     net.Listener
	conns []net.Conn
	state atomic.Int32
}

const (
	sound int32 = iota
	stalled
	garbled
)

func newWire(t *testing.T, to string) *wire {
	w := &wire{to: to}
	w.listen(t)
	t.Cleanup(w.stopListening)
	return w
}

func (w *wire) listen(t *testing.T) {
	addr := w.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	var l net.Listener
	for range 100 {
		var err error
		if l, err = net.Listen("tcp", addr); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if l == nil {
		t.Errorf("no listener at %s", addr)
		return
	}
	w.mu.Lock()
	w.l, w.addr = l, l.Addr().String()
	w.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.serveConn(c)
		}
	}()
}

func (w *wire) serveConn(c net.Conn) {
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		c.Close()
		return
	}
	w.mu.Lock()
	w.conns = append(w.conns, c, far)
	w.mu.Unlock()
	go w.copyBytes(far, c, false)
	w.copyBytes(c, far, true)
}

func (w *wire) copyBytes(dst, src net.Conn, spoil bool) {
	defer dst.Close()
	defer src.Close()
	b := make([]byte, 4096)
	for n := 0; ; n++ {
		got, err := src.Read(b)
		if err != nil {
			return
		}
		for w.state.Load() == stalled {
			time.Sleep(20 * time.Millisecond)
		}
		if spoil && w.state.Load() == garbled {
			for i := n % 7; i < got; i += 97 {
				b[i] ^= 0x5a
			}
		}
		if _, err := dst.Write(b[:got]); err != nil {
			return
		}
	}
}

// stopListening closes the listener and all connections.
func (w *wire) stopListening() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.l.Close()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// dropConns closes all connections; the listener stays.
func (w *wire) dropConns() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// fault begins and ends one kind of trouble with a source.
type fault struct {
	name       string
	begin, end func()
}

func (w *wire) faults(t *testing.T) []fault {
	return []fault{
		{"cut", w.dropConns, func() {}},
		{"stall", func() { w.state.Store(stalled) }, func() { w.state.Store(sound) }},
		{"garble", func() { w.state.Store(garbled) }, func() { w.state.Store(sound) }},
		{"restart", w.stopListening, func() { w.listen(t) }},
	}
}

// encodeClip lets ffmpeg generate and encode half a minute with movement, once for all
// tests, so that playing it costs little. It returns the path.
func encodeClip(t *testing.T, name string, codec ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	out, err := exec.Command("ffmpeg", append(append([]string{
		"-hide_banner", "-loglevel", "error", "-nostdin",
		"-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10", "-t", "30",
	}, codec...), path)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	return path
}

// keepRunning keeps a program running until the test ends.
func keepRunning(t *testing.T, words ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	t.Cleanup(func() { cancel(); done.Wait() })
	done.Go(func() {
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, words[0], words[1:]...)
			out, err := cmd.CombinedOutput()
			if ctx.Err() == nil && len(out) > 0 {
				t.Logf("%s: %v: %.300s", words[0], err, out)
			}
			select {
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
}

func ffmpegArgs(path string, to ...string) []string {
	return append([]string{"ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", path, "-c", "copy"}, to...)
}

// rpicam is a script that behaves like rpicam-vid as documented, as far as kerb uses
// it: without -t 0 it ends after five seconds, without -o - it writes no stream, and it
// uses the size and codec of its flags. Files tell it to stall, garble or end.
const rpicam = `#!/bin/bash
t=5000; o=; w=1920; h=1080; r=30; codec=h264
while [ $# -gt 0 ]; do
  case $1 in
    -n|--flush) ;;
    -t) t=$2; shift ;;
    -o) o=$2; shift ;;
    --width) w=$2; shift ;;
    --height) h=$2; shift ;;
    --framerate) r=$2; shift ;;
    --codec) codec=$2; shift ;;
    --camera|-q) shift ;;
    *) echo "ERROR: *** unrecognised option '$1' ***" >&2; exit 255 ;;
  esac; shift
done
[ "$o" = - ] || { echo "ERROR: no output" >&2; exit 255; }
limit=; [ "$t" = 0 ] || limit="-t $((t/1000))"
case $codec in
  yuv420) out="-pix_fmt yuv420p -f rawvideo" ;;
  mjpeg) out="-c:v mjpeg -q:v 5 -f mjpeg" ;;
  *) out="-c:v libx264 -f h264" ;;
esac
exec FFMPEG -hide_banner -loglevel error -nostdin -re -f lavfi -i testsrc2=size=${w}x${h}:rate=$r $limit $out -
`

func fakeRpicam(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rpicam-vid"), []byte(strings.Replace(rpicam, "FFMPEG", path, 1)), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func needFFmpeg(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg: install the package ffmpeg")
	}
}

func testCamera(name string) config.Camera {
	return config.Camera{
		Name: name, Detector: "motion", FPS: 10,
		Lines: []config.Line{{Line: counting.Line{ID: name, From: counting.Point{X: 0, Y: 0.5}, To: counting.Point{X: 1, Y: 0.5}}, Classes: []counting.Class{counting.Vehicle}}},
	}
}

// parseSource parses a value of the key source.
func parseSource(t *testing.T, text string) config.Source {
	t.Helper()
	src, err := config.ParseSource(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return src
}

// parseRTSP parses an rtsp:// URL as the key source; udp is the key transport.
func parseRTSP(t *testing.T, text string, udp bool) config.Source {
	t.Helper()
	src := parseSource(t, text).(config.RTSPSource)
	src.UDP = udp
	return src
}

// testSource is a camera and the faults that a test can cause.
type testSource struct {
	camera config.Camera
	faults func(*opener.Opener) []fault
}

// realSources starts real servers and programs: an RTSP server that ffmpeg publishes
// H.264, H.265 and M-JPEG to, ffmpeg as an HTTP camera, and a program that behaves like
// rpicam-vid.
func realSources(t *testing.T) (all []testSource) {
	t.Helper()
	needFFmpeg(t)
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte(sesame+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, at := startRelay(t)
	for name, codec := range map[string][]string{
		"h264":  {"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "10", "-f", "mp4"},
		"h265":  {"-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-x265-params", "log-level=none:keyint=10", "-f", "mp4"},
		"mjpeg": {"-c:v", "mjpeg", "-huffman", "default", "-force_duplicated_matrix", "1", "-pix_fmt", "yuvj420p", "-q:v", "5", "-f", "avi"},
	} {
		keepRunning(t, ffmpegArgs(encodeClip(t, name, codec...), "-f", "rtsp", "-rtsp_transport", "tcp", "rtsp://"+at+"/"+name)...)
	}
	for _, name := range []string{"h264", "h264udp", "h265", "mjpeg", "udp"} {
		path, byUDP := strings.CutSuffix(name, "udp")
		if name == "udp" {
			path = "mjpeg"
		}
		w := newWire(t, at)
		c := testCamera(name)
		src := parseRTSP(t, "rtsp://"+w.addr+"/"+path, byUDP).(config.RTSPSource)
		src.FFmpeg = name == "h265"
		c.Source, c.User, c.PasswordFile = src, viewer, secret
		all = append(all, testSource{c, func(*opener.Opener) []fault { return w.faults(t) }})
	}
	w := newWire(t, strings.TrimPrefix(serveParts(t, encodeClip(t, "parts", "-c:v", "mjpeg", "-q:v", "5", "-f", "avi")), "http://"))
	c := testCamera("http")
	c.Source = parseSource(t, "http://"+w.addr+"/")
	all = append(all, testSource{c, func(*opener.Opener) []fault { return w.faults(t) }})

	fakeRpicam(t)
	c = testCamera("csi")
	c.Source = parseSource(t, "csi:0?size=320x240&rate=10")
	return append(all, testSource{c, programFaults})
}

// serveParts serves the multipart stream that ffmpeg makes of a clip, and returns the
// URL.
func serveParts(t *testing.T, path string) string {
	t.Helper()
	words := ffmpegArgs(path, "-f", "mpjpeg", "-boundary_tag", "ffmpeg", "-")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace;boundary=ffmpeg")
		cmd := exec.CommandContext(r.Context(), words[0], words[1:]...)
		cmd.Stdout = flushed{w, w.(http.Flusher)}
		_ = cmd.Run()
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

type flushed struct {
	io.Writer
	http.Flusher
}

func (f flushed) Write(b []byte) (int, error) {
	defer f.Flush()
	return f.Writer.Write(b)
}

// programFaults returns the faults of a camera's program.
func programFaults(door *opener.Opener) []fault {
	send := func(sig syscall.Signal) func() {
		return func() { door.Signal(handover.RequestCamera, sig) }
	}
	return []fault{
		{"cut", send(syscall.SIGKILL), func() {}},
		{"stall", send(syscall.SIGSTOP), send(syscall.SIGCONT)},
		{"restart", send(syscall.SIGTERM), func() {}},
	}
}

// Each source is cut, stalled, garbled and restarted, and pictures come again within
// five seconds of its return. With KERB_LONG each fault is caused twenty times instead
// of once, also with sources that decode or start programs. Only then the time is
// checked, on a machine without other load.
func TestEverySourceComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it waits for real cameras")
	}
	rounds := 1
	if os.Getenv("KERB_LONG") != "" {
		rounds = 20
	}
	all := realSources(t)
	if only := strings.Fields(os.Getenv("KERB_ONLY")); rounds == 1 || len(only) > 0 {
		if len(only) == 0 {
			only = []string{"mjpeg", "udp", "http", "h264"}
		}
		all = slices.DeleteFunc(all, func(s testSource) bool { return !slices.Contains(only, s.camera.Name) })
	}
	goroutines := runtime.NumGoroutine()
	files := openFiles(t)
	ctx, cancel := context.WithCancel(context.Background())
	var running, trying sync.WaitGroup
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("KERB_VERBOSE") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	for _, s := range all {
		sensor, door := demo.NewLocalCamera(s.camera, policy.Demo(), (*exec.Cmd).Start, clock.SinceBoot, log)
		running.Go(func() { sensor.Run(ctx); door.Close() })
		trying.Go(func() { causeFaults(t, sensor, door, s, rounds) })
	}
	trying.Wait()
	cancel()
	running.Wait()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines+4 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
	}
	t.Logf("goroutines %d → %d, descriptors %d → %d", goroutines, runtime.NumGoroutine(), files, openFiles(t))
}

func causeFaults(t *testing.T, s *sensor.Camera, door *opener.Opener, of testSource, rounds int) {
	next := func(patience time.Duration) (time.Duration, bool) {
		begun, had := time.Now(), s.Pictures.Load()
		for s.Pictures.Load() < had+2 {
			if time.Sleep(5 * time.Millisecond); time.Since(begun) > patience {
				return patience, false
			}
		}
		return time.Since(begun), true
	}
	name := of.camera.Name
	if _, ok := next(2 * time.Minute); !ok {
		t.Errorf("%s: no picture in two minutes", name)
		return
	}
	faults := of.faults(door)
	took := map[string][]time.Duration{}
	for n := range rounds {
		for _, f := range faults {
			f.begin()
			// Longer than what a camera may be silent, shorter, and in between.
			time.Sleep(time.Duration(1+3*(n%3)) * time.Second)
			f.end()
			d, ok := next(time.Minute)
			took[f.name] = append(took[f.name], d)
			if !ok {
				t.Errorf("%s: nothing a minute after a %s", name, f.name)
			}
			next(5 * time.Second)
		}
	}
	for _, f := range faults {
		ds := took[f.name]
		slices.Sort(ds)
		t.Logf("%-6s %-8s ×%d: back after %s in the middle, %s at most", name, f.name, len(ds),
			ds[len(ds)/2].Round(time.Millisecond), ds[len(ds)-1].Round(time.Millisecond))
		if rounds > 1 && ds[len(ds)-1] > 5*time.Second {
			t.Errorf("%s: %s to come back after a %s", name, ds[len(ds)-1], f.name)
		}
	}
	t.Logf("%-6s delay from a picture's coming until it is counted: %s in the middle, %s for 95 of 100; %d pictures, %d dropped, %d bad",
		name, s.Latency.Quantile(0.5), s.Latency.Quantile(0.95), s.Pictures.Load(), s.Dropped.Load(), s.BadPictures.Load())
}

func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
