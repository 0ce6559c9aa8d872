package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/demo"
	"kerb/agent/policy"
	"kerb/agent/process"
	"kerb/agent/sensor"
	"kerb/agent/source"
)

// encodeFootage encodes half a minute of a real street at 640×480 and the given rate,
// once for all tests, and returns the path.
func encodeFootage(t *testing.T, rate int, name string, codec ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	in := []string{"-i", cmp.Or(os.Getenv("KERB_SHARED"), "../../shared") + "/footage/pets_s2l1.avi"}
	if _, err := os.Stat(in[1]); err != nil {
		t.Logf("no footage: a test picture stands in for it")
		in = []string{"-f", "lavfi", "-i", "testsrc2=size=640x480:rate=15"}
	}
	words := append([]string{"-hide_banner", "-loglevel", "error", "-nostdin"}, in...)
	words = append(words, "-t", "30", "-vf", fmt.Sprintf("fps=%d,scale=640:480", rate))
	if out, err := exec.Command("ffmpeg", append(append(words, codec...), path)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	return path
}

// costedSource is a source, with the programs that do the same job for comparison.
type costedSource struct {
	testSource
	luma   []string // decodes to luma
	motion string   // an address that the program motion can look at
}

func costedSources(t *testing.T, rate int) (all []costedSource) {
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte(sesame), 0o600); err != nil {
		t.Fatal(err)
	}
	_, at := startRelay(t)
	luma := []string{"-an", "-vf", "format=gray", "-f", "rawvideo", "-y", "/dev/null"}
	ffmpeg := func(in ...string) []string {
		return append(append([]string{"ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1"}, in...), luma...)
	}
	for name, codec := range map[string][]string{
		"h264":  {"-c:v", "libx264", "-preset", "medium", "-g", "20", "-bf", "0", "-pix_fmt", "yuv420p", "-f", "mp4"},
		"h265":  {"-c:v", "libx265", "-preset", "fast", "-x265-params", "log-level=none:keyint=20:bframes=0", "-pix_fmt", "yuv420p", "-f", "mp4"},
		"mjpeg": {"-c:v", "mjpeg", "-huffman", "default", "-force_duplicated_matrix", "1", "-pix_fmt", "yuvj420p", "-q:v", "5", "-f", "avi"},
	} {
		if !isCosted(name) {
			continue
		}
		keepRunning(t, ffmpegArgs(encodeFootage(t, rate, name, codec...), "-f", "rtsp", "-rtsp_transport", "tcp", "rtsp://"+at+"/"+name)...)
	}
	for _, name := range []string{"h264", "h265", "mjpeg", "udp"} {
		if !isCosted(name) {
			continue
		}
		path, by := name, "tcp"
		if name == "udp" {
			path, by = "mjpeg", "udp"
		}
		c := testCamera(name)
		src := parseRTSP(t, "rtsp://"+at+"/"+path, name == "udp").(config.RTSPSource)
		src.FFmpeg = name == "h265"
		c.Source, c.User, c.PasswordFile = src, viewer, secret
		full := (&url.URL{Scheme: "rtsp", Host: at, Path: path, User: url.UserPassword(viewer, sesame)}).String()
		motion := full
		if name == "udp" {
			motion = ""
		}
		all = append(all, costedSource{testSource{camera: c}, ffmpeg("-rtsp_transport", by, "-i", full), motion})
	}
	if !isCosted("http") {
		return all
	}
	jpegs := encodeFootage(t, rate, "parts", "-c:v", "mjpeg", "-q:v", "5", "-f", "avi")
	parts := serveParts(t, jpegs)
	c := testCamera("http")
	c.Source = parseSource(t, parts)
	all = append(all, costedSource{testSource{camera: c}, ffmpeg("-f", "mpjpeg", "-i", parts), parts})

	if !isCosted("yuv420") {
		return all
	}
	raw := encodeFootage(t, rate, "raw", "-pix_fmt", "yuv420p", "-c:v", "rawvideo", "-f", "avi")
	played := "exec ffmpeg -hide_banner -loglevel error -nostdin -re -stream_loop -1 -i " + raw + " -pix_fmt yuv420p -f rawvideo -"
	c = testCamera("yuv420")
	c.Source = config.CommandSource{Words: []string{"/bin/sh", "-c", played}, Format: "yuv420:640x480"}
	pipe := ffmpeg("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "640x480", "-r", strconv.Itoa(rate), "-i", "-")
	return append(all, costedSource{testSource{camera: c}, []string{"/bin/sh", "-c", "(" + played + ") | " + strings.Join(pipe, " ")}, ""})
}

// isCosted reports whether a source is among those of KERB_SOURCES, names with commas
// between them; without it, all are.
func isCosted(name string) bool {
	chosen := os.Getenv("KERB_SOURCES")
	return chosen == "" || slices.Contains(strings.Split(chosen, ","), name)
}

func isCommand(c config.Camera) bool {
	_, command := c.Source.(config.CommandSource)
	return command
}

// readLuma reads the pictures of a camera, as kerb sense does, and drops them.
func readLuma(file, camera string) error {
	site, err := config.Load(file)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(site.Cameras, func(c config.Camera) bool { return c.Name == camera })
	if i < 0 {
		return fmt.Errorf("no camera %s", camera)
	}
	c := site.Cameras[i]
	s, _ := demo.NewLocalCamera(c, policy.Demo(), process.NewStarter().Start, clock.SinceBoot, slog.New(slog.DiscardHandler))
	src, err := s.Open(context.Background())
	if err != nil {
		return err
	}
	w, h := src.Size()
	for dst := make([]byte, w*h); ; {
		if _, err := src.ReadInto(context.Background(), dst); err != nil && !source.IsBadPicture(err) {
			return err
		}
	}
}

// processorTime returns the processor time of a process in ms (proc_pid_stat(5)).
func processorTime(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := bytes.Cut(b, []byte(") "))
	words := strings.Fields(string(rest))
	if len(words) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(words[11])
	system, _ := strconv.Atoi(words[12])
	return float64(user+system) * 10 // of 100 ticks a second
}

// findDescendants finds the descendants of a process whose arguments contain all the
// given words.
func findDescendants(parent int, want ...string) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, _ := os.ReadFile(path)
		_, rest, _ := bytes.Cut(b, []byte(") "))
		fields := strings.Fields(string(rest))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(fields) < 2 {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		words := " " + strings.ReplaceAll(string(line), "\x00", " ")
		holds := true
		for _, w := range want {
			holds = holds && strings.Contains(words, " "+w+" ")
		}
		if fields[1] == strconv.Itoa(parent) {
			if holds {
				pids = append(pids, pid)
			}
			pids = append(pids, findDescendants(pid, want...)...)
		}
	}
	return pids
}

// The processor time of kerb's driver for the luma of each source beside that of
// ffmpeg, and of the camera's process of kerb run, with motion, counting and walls,
// beside that of the program motion. All run at the same time. The supervisor and uplink
// are given by themselves. The time of servers and of rpicam-vid is not counted.
func TestWhatEachSourceCosts(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("a minute of several programs at once: KERB_LONG=1, or make bench-sources")
	}
	needFFmpeg(t)
	all := costedSources(t, 10)
	var plain []testSource
	for _, c := range all {
		plain = append(plain, c.testSource)
	}
	run := startKerb(t, mosquitto(t), plain)
	peers := map[string]*exec.Cmd{}
	start := func(name string, words ...string) {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Env, cmd.Stderr = append(os.Environ(), "KERB_COST=1"), os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for _, pid := range append(findDescendants(cmd.Process.Pid), cmd.Process.Pid) {
				if p, err := os.FindProcess(pid); err == nil {
					_ = p.Kill()
				}
			}
			_ = cmd.Wait()
		})
		peers[name] = cmd
	}
	for _, c := range all {
		start(c.camera.Name, c.luma...)
		start("luma "+c.camera.Name, os.Args[0], "luma", run.Args[3], c.camera.Name)
		if c.motion != "" {
			start("motion "+c.camera.Name, "motion", "-n", "-c", motionConfig(t, c.motion, 640, 480, freePort(t)))
		}
	}
	time.Sleep(15 * time.Second)
	costs := func() map[string]float64 {
		m := map[string]float64{
			"supervisor": processorTime(run.Process.Pid),
			"uplink":     sum(findDescendants(run.Process.Pid, "uplink")),
		}
		for _, c := range all {
			name := c.camera.Name
			m["kerb "+name] = sum(findSense(run.Process.Pid, name, "sense", name))
			m["luma "+name] = sum(append(findSense(peers["luma "+name].Process.Pid, name, "none"), peers["luma "+name].Process.Pid))
			if m["ffmpeg "+name] = processorTime(peers[name].Process.Pid); isCommand(c.camera) {
				m["ffmpeg "+name] = sum(findDescendants(peers[name].Process.Pid, "/dev/null"))
			}
			if p := peers["motion "+name]; p != nil {
				m["motion "+name] = processorTime(p.Process.Pid)
			}
		}
		return m
	}
	const seconds = 40
	before := costs()
	time.Sleep(seconds * time.Second)
	after := costs()
	of := func(name string) float64 { return (after[name] - before[name]) / seconds / 10 }
	t.Logf("640×480, ten pictures a second, ms of one core for each picture")
	t.Logf("beside the processes of %d cameras: supervisor %.2f, uplink %.2f", len(all), of("supervisor"), of("uplink"))
	for _, c := range all {
		name := c.camera.Name
		luma, ffmpeg, kerb := of("luma "+name), of("ffmpeg "+name), of("kerb "+name)
		line := fmt.Sprintf("%-7s luma: kerb %.2f, ffmpeg %.2f, ratio %.2f; counted: kerb run %.2f", name, luma, ffmpeg, luma/ffmpeg, kerb)
		if m := of("motion " + name); m > 0 {
			line += fmt.Sprintf(", motion %.2f, ratio %.2f", m, kerb/m)
		}
		t.Log(line)
		if luma <= 0 || kerb <= 0 || ffmpeg <= 0 {
			t.Errorf("%s: nothing was done", name)
		}
	}
}

// findSense finds the descendants with these words, and the decoders of the camera.
func findSense(parent int, camera string, words ...string) []int {
	pids := findDescendants(parent, words...)
	if codec := map[string]string{"h264": "h264", "h265": "hevc"}[camera]; codec != "" {
		pids = append(pids, findDescendants(parent, "-f "+codec, "yuv4mpegpipe")...)
	}
	return pids
}

func sum(pids []int) (all float64) {
	for _, pid := range pids {
		all += processorTime(pid)
	}
	return all
}

// The latency from the arrival of a picture until it is counted, at fifteen pictures a
// second from all sources at once, and the number of pictures that were dropped.
func TestHowLongAPictureWaits(t *testing.T) {
	if os.Getenv("KERB_LONG") == "" {
		t.Skip("a minute of several programs at once: KERB_LONG=1, or make bench-sources")
	}
	needFFmpeg(t)
	all := costedSources(t, 15)
	for _, detector := range []string{"motion", "auto"} {
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		var sensors []*sensor.Camera
		for _, c := range all {
			c.camera.Detector, c.camera.FPS = detector, 15
			s, door := demo.NewLocalCamera(c.camera, policy.Demo(), process.NewStarter().Start, clock.SinceBoot, slog.New(slog.DiscardHandler))
			sensors = append(sensors, s)
			running.Go(func() { s.Run(ctx); door.Close() })
		}
		time.Sleep(45 * time.Second)
		cancel()
		running.Wait()
		for _, s := range sensors {
			t.Logf("%-6s %-6s counted %s after its coming (half of them), %s (95 of 100); %d pictures, %d dropped",
				detector, s.Config.Name, s.Latency.Quantile(0.5), s.Latency.Quantile(0.95), s.Pictures.Load(), s.Dropped.Load())
			if s.Pictures.Load() < 100 {
				t.Errorf("%s: %d pictures in 45 s", s.Config.Name, s.Pictures.Load())
			}
		}
	}
}
