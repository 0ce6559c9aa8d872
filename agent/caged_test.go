package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/config"
	"kerb/agent/process"
)

// outputBuffer collects the output of a process; it may be read while that runs.
type outputBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *outputBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *outputBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// otherSources returns sources without faults: the program motion as an HTTP camera,
// stills of London at a URL, a clip at a URL, an MP4 file, and a command.
func otherSources(t *testing.T, footage string) (all []testSource) {
	t.Helper()
	add := func(name, source string, change func(*config.Camera)) {
		c := testCamera(name)
		c.Source = parseSource(t, source)
		change(&c)
		all = append(all, testSource{camera: c})
	}
	still := func(c *config.Camera) {
		c.FPS, c.Lines, c.Detector, c.Source = 0, nil, "auto", config.SnapshotSource{Address: c.Address(), PollEvery: 10 * time.Second}
	}
	recording := encodeClip(t, "recording.mp4", "-t", "4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
	add("still", serveChanging(t, 3*time.Second, findJamcams(t, footage)...), still)
	add("clip", serveChanging(t, 15*time.Second, recording, encodeClip(t, "later.mp4", "-t", "3", "-c:v", "libx264", "-pix_fmt", "yuv420p")), still)
	add("mp4", recording, func(*config.Camera) {})
	add("command", "", func(c *config.Camera) {
		ffmpeg, err := exec.LookPath("ffmpeg")
		if err != nil {
			t.Fatal(err)
		}
		words := ffmpegArgs(recording, "-f", "mjpeg", "-c:v", "mjpeg", "-")
		c.Source = config.CommandSource{Words: append([]string{ffmpeg}, words[1:]...)}
	})
	if _, err := exec.LookPath("motion"); err != nil {
		t.Log("no motion: install the package motion")
		return all
	}
	add("motion", startMotion(t, serveParts(t, encodeClip(t, "looked-at", "-c:v", "mjpeg", "-q:v", "5", "-f", "avi"))), func(*config.Camera) {})
	return all
}

// serveChanging serves one of the files over HTTP, the next one after each interval.
func serveChanging(t *testing.T, every time.Duration, files ...string) string {
	t.Helper()
	begun := time.Now()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := files[int(time.Since(begun)/every)%len(files)]
		b, err := os.ReadFile(path)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", strconv.Quote(filepath.Base(path)))
		http.ServeContent(w, r, path, time.Time{}, bytes.NewReader(b))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/now"
}

// findJamcams returns the paths of some stills of London's traffic cameras.
func findJamcams(t *testing.T, footage string) []string {
	t.Helper()
	stills, err := filepath.Glob(filepath.Join(footage, "stills", "jc0*.jpg"))
	if err != nil || len(stills) == 0 {
		t.Logf("no footage: drawn stills stand in for it")
		return []string{encodeClip(t, "0.jpg", "-frames:v", "1"), encodeClip(t, "1.jpg", "-vf", "negate", "-frames:v", "1")}
	}
	return stills
}

// startMotion starts Debian's motion, which reads the camera at from and serves it as
// Motion JPEG. It returns the URL.
func startMotion(t *testing.T, from string) string {
	t.Helper()
	port := freePort(t)
	keepRunning(t, "motion", "-n", "-c", motionConfig(t, from, 320, 240, port))
	return fmt.Sprintf("http://127.0.0.1:%d/", port)
}

// motionConfig writes a configuration with which motion reads a camera and serves it
// at a port.
func motionConfig(t *testing.T, from string, w, h, port int) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "motion.conf")
	text := fmt.Sprintf("daemon off\nlog_level 3\ntarget_dir %s\nnetcam_url %s\nwidth %d\nheight %d\nframerate 10\n"+
		"picture_output off\nmovie_output off\nwebcontrol_port 0\nstream_port %d\nstream_localhost on\nstream_maxrate 10\nstream_quality 70\n", dir, from, w, h, port)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// siteText returns a site.toml with these cameras.
func siteText(broker string, all []testSource) string {
	site := fmt.Sprintf("[device]\nname = \"a\"\nsite = \"b\"\ntenant = \"c\"\nstate = \"state\"\nclock_floor = \"2020-01-01\"\n[broker]\nurl = %q\n", broker)
	for _, s := range all {
		c := s.camera
		site += fmt.Sprintf("[[camera]]\nname = %q\ndetector = %q\n", c.Name, c.Detector)
		switch src := c.Source.(type) {
		case config.SnapshotSource:
			site += fmt.Sprintf("source = %q\nevery = %q\n", src, src.PollEvery)
		case config.CommandSource:
			site += fmt.Sprintf("command = [\"%s\"]\nfps = %g\n", strings.Join(src.Words, "\", \""), c.FPS)
			if src.Format != "" {
				site += fmt.Sprintf("format = %q\n", src.Format)
			}
		default:
			site += fmt.Sprintf("source = %q\nfps = %g\n", c.Source, c.FPS)
		}
		if c.User != "" {
			site += fmt.Sprintf("user = %q\npassword_file = %q\n", c.User, c.PasswordFile)
		}
		if stream, ok := c.Source.(config.RTSPSource); ok && stream.UDP {
			site += "transport = \"udp\"\n"
		} else if ok && stream.FFmpeg {
			site += "decoder = \"ffmpeg\"\n"
		}
		if !c.Polled() {
			site += fmt.Sprintf("[[camera.line]]\nid = %q\nfrom = [0.0, 0.5]\nto = [1.0, 0.5]\nclasses = [\"person\"]\n", c.Name)
		} else {
			site += fmt.Sprintf("[[camera.zone]]\nid = %q\npolygon = [[0, 0], [1, 0], [1, 1], [0, 1]]\nclasses = [\"person\", \"vehicle\"]\n", c.Name)
		}
	}
	return site
}

// kerb run counts every kind of network camera and program inside its walls, where
// kerb sense dials no address and reads handed-over descriptors only. The windows
// arrive at a broker, and no password is in the log or in an argument of a process.
func TestEverySourceIsCountedInsideTheWalls(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it waits for real cameras")
	}
	footage := cmp.Or(os.Getenv("KERB_SHARED"), "../../shared") + "/footage"
	all := append(realSources(t), otherSources(t, footage)...)
	url := mosquitto(t)
	arrived := observeWindows(t, url)
	run := startKerb(t, url, all)
	missing := ""
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		missing = ""
		for _, s := range all {
			if s.camera.Name == "still" && arrived.streamTotal("still") < 2 || arrived.streamTotal(s.camera.Name) < 1 {
				missing += " " + s.camera.Name
			}
		}
		if missing == "" {
			break
		}
	}
	if missing != "" {
		t.Errorf("nothing seen of%s arrived:\n%s", missing, run.Stderr)
	}
	for _, s := range all {
		t.Logf("%-8s seen for %d", s.camera.Name, arrived.streamTotal(s.camera.Name))
	}
	checkNoPassword(t, fmt.Sprint(run.Stderr))
	checkDecoders(t, run.Process.Pid)
	_ = run.Process.Signal(os.Interrupt)
	if err := run.Wait(); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

// The kernel holds each role in all its walls, among them a decoder, measured as the
// program that it starts. The role free is the control.
func TestEveryRoleIsHeldByItsWalls(t *testing.T) {
	if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0); errno != 0 {
		t.Skip("built with cgo: the walls are for programs without")
	}
	reports, err := process.MeasureRoles("free", "sense", "uplink", "supervisor", "decode")
	if err != nil {
		t.Fatal(err)
	}
	if reports[0].Strict() == nil {
		t.Error("control: no wall is missing without walls")
	}
	for _, r := range reports[1:] {
		if r.Landlock == 0 && (r.Role == "uplink" || r.Role == "decode") {
			t.Logf("%s: this kernel has no Landlock: %v", r.Role, r.Strict())
		} else if err := r.Strict(); err != nil {
			t.Error(err)
		}
		if len(r.Walls) != len(reports[1].Walls) {
			t.Errorf("%s has %d walls, sense %d: a state message names them by their place", r.Role, len(r.Walls), len(reports[1].Walls))
		}
		for i, w := range r.Walls {
			if w.Name != reports[1].Walls[i].Name {
				t.Errorf("%s: wall %d is %q, of sense %q", r.Role, i, w.Name, reports[1].Walls[i].Name)
			}
		}
	}
}

// startKerb builds kerb and starts kerb run with these cameras.
func startKerb(t *testing.T, broker string, all []testSource) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "kerb")
	build := exec.Command("go", "build", "-o", bin, "kerb/agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build kerb: %v\n%s", err, out)
	}
	policy := "schema = \"kerb.policy/1\"\nversion = 1\ntitle = \"test\"\npurpose = \"statistical\"\ncount.streams = [\"line\", \"zone\"]\ncount.classes = [\"person\", \"vehicle\"]\ncamera.follow_max = \"60s\"\nclear.window = \"1m\"\nclear.method = \"noise\"\nclear.epsilon = 1\nclear.below = 0\nclear.overlap = 2\nkeep.retention = \"24h\"\n"
	for name, text := range map[string]string{"site.toml": siteText(broker, all), "policy.toml": policy} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.Command(bin, "run", "-site", filepath.Join(dir, "site.toml"), "-policy", filepath.Join(dir, "policy.toml"))
	run.Stderr = new(outputBuffer)
	run.Env = append(os.Environ(), "PATH="+linkPrograms(t))
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
	})
	return run
}

// linkPrograms returns a directory with links to the programs that kerb itself starts,
// and to no other.
func linkPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"ffmpeg", "rpicam-vid"} {
		if path, err := exec.LookPath(name); err == nil {
			if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// checkDecoders checks that of all cameras only the one with H.265 has a decoder, and
// that the decoder runs within walls: under a filter of its own, without the right to
// gain privileges, and not as root.
func checkDecoders(t *testing.T, supervisor int) {
	t.Helper()
	decoders := 0
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range processes {
		b, _ := os.ReadFile(path)
		status, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "status"))
		text := string(status)
		if !bytes.Contains(b, []byte("\x00pipe:0\x00")) || !strings.Contains(text, fmt.Sprintf("\nPPid:\t%d\n", supervisor)) {
			continue
		}
		decoders++
		if !bytes.Contains(b, []byte("\x00hevc\x00")) {
			t.Errorf("%q decodes what is no H.265", b)
		}
		for _, want := range []string{"\nNoNewPrivs:\t1\n", "\nSeccomp:\t2\n", "\nSeccomp_filters:\t2\n", "\nCapEff:\t0000000000000000\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("the decoder's status lacks %q:\n%s", want, text)
			}
		}
		if strings.Contains(text, "\nUid:\t0\t") {
			t.Errorf("the decoder is root:\n%s", text)
		}
	}
	if decoders != 1 {
		t.Errorf("%d decoders run, want one for the camera with H.265", decoders)
	}
}

// checkNoPassword searches the arguments of all processes and the log for the password.
func checkNoPassword(t *testing.T, words string) {
	t.Helper()
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range processes {
		if b, _ := os.ReadFile(path); bytes.Contains(b, []byte(sesame)) {
			t.Errorf("%s holds the password: %q", path, b)
		}
	}
	if strings.Contains(words, sesame) || strings.Contains(words, "se%3Fsame") {
		t.Error("the log holds the password")
	}
}

// mosquitto starts the broker mosquitto on a free port and returns its URL.
func mosquitto(t *testing.T) string {
	t.Helper()
	port := freePort(t)
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "listener %d 127.0.0.1\nallow_anonymous true\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	keepRunning(t, path, "-c", conf)
	return fmt.Sprintf("mqtt://127.0.0.1:%d", port)
}

// observedTime adds up, for each stream, the seconds or instants that were observed in
// all windows received.
type observedTime struct {
	mu  sync.Mutex
	all map[string]int
}

func (s *observedTime) streamTotal(stream string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[stream]
}

func (s *observedTime) addWindow(_ mqtt.Client, m mqtt.Message) {
	var w struct {
		Stream   string
		Quality  string
		Seconds  int `json:"observed_s"`
		Instants int `json:"observed_instants"`
		Counts   []json.RawMessage
	}
	if json.Unmarshal(m.Payload(), &w) != nil || w.Quality == "gap" || len(w.Counts) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[w.Stream] += w.Seconds + w.Instants
}

func observeWindows(t *testing.T, url string) *observedTime {
	t.Helper()
	s := &observedTime{all: map[string]int{}}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(strings.Replace(url, "mqtt", "tcp", 1)).SetClientID("observer"))
		if tok := client.Connect(); tok.WaitTimeout(10*time.Second) && tok.Error() == nil {
			t.Cleanup(func() { client.Disconnect(0) })
			if tok := client.Subscribe("kerb/v1/c/b/a/count/+", 1, s.addWindow); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
				t.Fatal(tok.Error())
			}
			return s
		}
		if time.Now().After(end) {
			t.Fatal("no broker")
		}
	}
}
