package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// processes are the agent's: what they are called → their ids.
func (a *agent) processes() map[string]int {
	a.t.Helper()
	found := map[string]int{"run": a.cmd.Process.Pid}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		a.t.Fatal(err)
	}
	for _, path := range stats {
		// proc_pid_stat(5): the name, in parentheses, may hold anything.
		b, _ := os.ReadFile(path)
		_, rest, ok := bytes.Cut(b, []byte(") "))
		fields := strings.Fields(string(rest))
		if !ok || len(fields) < 2 || fields[0] == "Z" || fields[1] != strconv.Itoa(a.cmd.Process.Pid) {
			continue
		}
		args, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		words := strings.Split(string(args), "\x00")
		if len(words) < 3 {
			continue // not yet itself
		}
		role := words[1]
		if role == "sense" {
			role += " " + words[2]
		}
		found[role], _ = strconv.Atoi(filepath.Base(filepath.Dir(path)))
	}
	return found
}

// await is how long it took until the condition held.
func await(t *testing.T, what string, holds func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for !holds() {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(begun)
}

func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }

func descriptors(pid int) int {
	fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(fds)
}

// stat is a field of /proc/PID/status, in its own unit.
func stat(pid int, field string) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(b), "\n"+field+":")
	words := strings.Fields(rest)
	if len(words) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(words[0])
	return n
}

// told is one stored window as a consumer would see it.
type told struct {
	Stream  string
	Start   time.Time
	Quality string
	Reason  string
	Counts  []json.RawMessage
}

func (a *agent) told() (all []told) {
	a.t.Helper()
	out, err := exec.Command(a.bin, "spool", "-json", filepath.Join(a.dir, "state", "spool.db")).Output()
	if err != nil {
		a.t.Fatalf("kerb spool: %v", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var w struct{ Window told }
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			a.t.Fatalf("%s: %v", lines.Text(), err)
		}
		all = append(all, w.Window)
	}
	return all
}

// accounted checks that every minute between the first and the last window has
// exactly one window of every stream.
func accounted(t *testing.T, all []told) {
	t.Helper()
	streams := map[string][]time.Time{}
	for _, w := range all {
		streams[w.Stream] = append(streams[w.Stream], w.Start)
		if (w.Quality == "gap") != (len(w.Counts) == 0) {
			t.Errorf("%s at %s is %s and has %d counts", w.Stream, w.Start, w.Quality, len(w.Counts))
		}
	}
	for name, starts := range streams {
		slices.SortFunc(starts, time.Time.Compare)
		for i := 1; i < len(starts); i++ {
			if d := starts[i].Sub(starts[i-1]); d != time.Minute {
				t.Errorf("%s: %s after the window of %s comes another", name, d, starts[i-1])
			}
		}
	}
	if len(streams) != 2 {
		t.Errorf("windows of %d streams", len(streams))
	}
}

// Killed at random, each kind of process comes back and counting goes on; every
// window is accounted for, once, and nothing is left behind. KERB_LONG gives
// it ten minutes.
func TestWhicheverProcessIsKilledEveryWindowIsAccountedFor(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t)
	s := newSink(t, m.url())
	var connections atomic.Int64
	camera := cameraServer(t)
	a := newAgent(t, m.url(), countedCamera(t, camera, &connections))
	a.start()
	whole := func() bool {
		p := a.processes()
		return p["uplink"] > 0 && p["sense north"] > 0
	}
	await(t, "three processes", whole)
	await(t, "the camera's first reader", func() bool { return connections.Load() > 0 })
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
	}
	began := [2]int{descriptors(a.cmd.Process.Pid), stat(a.cmd.Process.Pid, "Threads")}
	end := time.Now().Add(75 * time.Second)
	switch {
	case os.Getenv("KERB_LONG") != "":
		end = time.Now().Add(10 * time.Minute)
	case testing.Short():
		end = time.Now().Add(10 * time.Second)
	}
	kills, slowest, all := map[string]int{}, map[string]time.Duration{}, map[string][]time.Duration{}
	for time.Now().Before(end) {
		role := []string{"uplink", "sense north", "sense north", "uplink", "run"}[rand.IntN(5)]
		old := a.processes()
		before := connections.Load()
		if old[role] == 0 {
			continue
		}
		if err := syscall.Kill(old[role], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		kills[role]++
		if role == "run" {
			_ = a.cmd.Wait()
			for name, pid := range old {
				slowest["orphan"] = max(slowest["orphan"], await(t, "the end of "+name, func() bool { return gone(pid) }))
			}
			a.start()
		}
		took := await(t, role+" again", func() bool { now := a.processes(); return now[role] > 0 && now[role] != old[role] && whole() })
		if role != "uplink" {
			took += await(t, "the camera's reader again", func() bool { return connections.Load() > before })
		}
		slowest[role] = max(slowest[role], took)
		all[role] = append(all[role], took)
		time.Sleep(time.Duration(500+rand.IntN(2500)) * time.Millisecond)
	}
	await(t, "three processes", whole)
	time.Sleep(2 * time.Second)
	ended := [2]int{descriptors(a.cmd.Process.Pid), stat(a.cmd.Process.Pid, "Threads")}
	if os.Getuid() == 0 && ended[0] > began[0]+2 || ended[1] > began[1]+8 {
		t.Errorf("the supervisor had %d descriptors and %d threads, and has %d and %d", began[0], began[1], ended[0], ended[1])
	}
	last := a.processes()
	a.stop()
	for name, pid := range last {
		if !gone(pid) {
			t.Errorf("%s is left behind", name)
		}
	}
	accounted(t, a.told())
	stored := a.stored()
	contiguous(t, stored)
	await(t, "every window at the consumer", func() bool { return s.lacks(stored) == 0 })
	for role, took := range all {
		slices.Sort(took)
		n := len(took)
		t.Logf("%s: %d times, back within %v (half of them), %v (nine of ten), %v", role, n, took[n/2], took[n*9/10], took[n-1])
	}
	t.Logf("killed %v, slowest return %v, %d windows; descriptors %d→%d, threads %d→%d",
		kills, slowest, len(stored), began[0], ended[0], began[1], ended[1])
}

// countedCamera is a camera that counts who comes, before another.
func countedCamera(t *testing.T, url string, n *atomic.Int64) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, err := http.Get(url)
		if err != nil {
			return
		}
		defer res.Body.Close()
		n.Add(1)
		w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
		buf := make([]byte, 64<<10)
		for {
			k, err := res.Body.Read(buf)
			if _, werr := w.Write(buf[:k]); err != nil || werr != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL + "/mjpeg"
}

// hostile are cameras whose answers attack the decoder.
func hostile(elsewhere string) map[string]func(net.Conn) {
	say := func(head string, more func(c net.Conn) error) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(c))
			if _, err := fmt.Fprint(c, head); err != nil {
				return
			}
			for more(c) == nil {
			}
		}
	}
	const parts = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"
	bomb := "\xff\xd8\xff\xc0\x00\x11\x08\x75\x30\x75\x30\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01" + strings.Repeat("\x00", 300) + "\xff\xd9"
	junk := bytes.Repeat([]byte("\xff\xd8\xff\xe0 never an end"), 4096)
	write := func(b []byte) func(net.Conn) error {
		return func(c net.Conn) error { _, err := c.Write(b); return err }
	}
	return map[string]func(net.Conn){
		"headers": say("HTTP/1.1 200 OK\r\n", write(bytes.Repeat([]byte("X-More: and more\r\n"), 1000))),
		"drip": say("HTTP/1.1 200 OK\r\n", func(c net.Conn) error {
			time.Sleep(200 * time.Millisecond)
			_, err := c.Write([]byte("X"))
			return err
		}),
		"bomb":     say(parts, write([]byte(fmt.Sprintf("--b\r\nContent-Length: %d\r\n\r\n%s\r\n", len(bomb), bomb)))),
		"endless":  say(parts+"--b\r\nContent-Type: image/jpeg\r\n\r\n", write(junk)),
		"circle":   say("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", func(net.Conn) error { return net.ErrClosed }),
		"astray":   say("HTTP/1.1 302 Found\r\nLocation: "+elsewhere+"\r\nContent-Length: 0\r\n\r\n", func(net.Conn) error { return net.ErrClosed }),
		"nonsense": say("RTSP/1.0 200 OK\r\nCSeq: -1\r\n\r\n", write(junk[:100])),
	}
}

func serveRaw(t *testing.T, play func(net.Conn)) (port int, served *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); close(done) })
	served = new(atomic.Int64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Add(1)
			go func() {
				defer c.Close()
				stop := make(chan struct{})
				defer close(stop)
				go func() {
					select {
					case <-done:
						c.Close()
					case <-stop:
					}
				}()
				play(c)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, served
}

// A camera can stop its own process at worst. The others do not notice.
func TestAHostileCameraHurtsNobodyButItself(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t)
	s := newSink(t, m.url())
	var good, played atomic.Int64
	a := newAgent(t, m.url(), countedCamera(t, cameraServer(t), &good))
	elsewhere, strayed := serveRaw(t, func(net.Conn) {})
	site, err := os.ReadFile(filepath.Join(a.dir, "site.toml"))
	if err != nil {
		t.Fatal(err)
	}
	visits := map[string]*atomic.Int64{}
	for scheme, cameras := range map[string]map[string]func(net.Conn){
		"http": hostile(fmt.Sprintf("http://127.0.0.1:%d/", elsewhere)), "rtsp": hostileRTSP(&played),
	} {
		for name, play := range cameras {
			port, served := serveRaw(t, play)
			visits[name] = served
			site = fmt.Appendf(site, "[[camera]]\nname = %q\nsource = \"%s://127.0.0.1:%d/x\"\n[[camera.line]]\nid = \"line-%s\"\n"+
				"from = [0.0, 0.5]\nto = [1.0, 0.5]\nclasses = [\"person\"]\n", name, scheme, port, name)
		}
	}
	if err := os.WriteFile(filepath.Join(a.dir, "site.toml"), site, 0o600); err != nil {
		t.Fatal(err)
	}
	a.start()
	await(t, "all processes", func() bool { return len(a.processes()) == 2+1+len(visits) })
	await(t, "the good camera's reader", func() bool { return good.Load() > 0 })
	first := a.processes()
	most := 0
	// On a loaded machine the cameras are reached later than within 15 s.
	for begun := time.Now(); time.Since(begun) < 15*time.Second || played.Load() < 3 && time.Since(begun) < 2*time.Minute; time.Sleep(200 * time.Millisecond) {
		for _, pid := range a.processes() {
			most = max(most, stat(pid, "VmHWM"))
		}
	}
	now := a.processes()
	for _, role := range []string{"run", "uplink", "sense north"} {
		if now[role] != first[role] {
			t.Errorf("%s was started again", role)
		}
	}
	if most > 400<<10 {
		t.Errorf("a process took %d MB", most>>10)
	}
	if good.Load() != 1 {
		t.Errorf("the good camera was opened %d times", good.Load())
	}
	if n := strayed.Load(); n != 0 {
		t.Errorf("%d connections to where the redirect led", n)
	}
	if played.Load() < 3 {
		t.Errorf("%d hostile cameras were asked to play", played.Load())
	}
	for name, served := range visits {
		if n := served.Load(); n < 1 || n > 200 {
			t.Errorf("%s: %d connections", name, n)
		}
	}
	a.stop()
	stored := a.stored()
	if n := 2 + len(visits); len(stored) == 0 || len(stored)%n != 0 {
		t.Errorf("%d windows stored: want as many of each of %d streams", len(stored), n)
	}
	await(t, "every window at the consumer", func() bool { return s.lacks(stored) == 0 })
	t.Logf("largest process %d MB", most>>10)
}
