package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// measureCosts returns the processor time of programs for each picture of the
// camera, ms, for 640×480 at ten a second, one program after the other. Kerb's
// driver and ffmpeg only read the luma; kerb run and motion detect motion, in
// standing colour bars with a running clock. The other programs come from the
// host's file system.
func measureCosts() (any, error) {
	if err := mountHost(); err != nil {
		return nil, err
	}
	if err := useMotionDetector(); err != nil {
		return nil, err
	}
	ffmpeg := func(format string, pictures int) *exec.Cmd {
		return hostProgram("/usr/bin/ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1", "-f", "v4l2", "-input_format", format, "-video_size", "640x480",
			"-framerate", "10", "-i", videoDevice, "-an", "-frames:v", strconv.Itoa(pictures), "-vf", "format=gray", "-f", "rawvideo", "-y", "/dev/null")
	}
	luma := exec.Command("/agent.test", "luma", "/site.toml", "usb1")
	luma.Env = []string{"KERB_COST=1"}
	r := map[string]float64{}
	for _, format := range []string{"gray", "yuyv422"} {
		cost, err := cpuPerPicture(func(pictures int) *exec.Cmd { return ffmpeg(format, pictures) })
		if err != nil {
			return nil, fmt.Errorf("ffmpeg: %w", err)
		}
		r["ffmpeg "+format] = cost
	}
	_ = hostProgram("/usr/bin/motion", "-h").Run() // loads its libraries into memory, which may take long; -h exits with an error
	for _, c := range []struct {
		name string
		cmd  *exec.Cmd
		of   func(pid int) (int, error)
	}{
		{"kerb luma", luma, samePID},
		{"motion", hostProgram("/usr/bin/motion", "-n", "-c", "/tmp/motion.conf"), samePID},
		{"kerb run", exec.Command("/kerb", "run", "-site", "/site.toml", "-policy", "/policy.toml"), findSense},
	} {
		cost, err := cpuWhileRunning(c.cmd, c.of)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		r[c.name] = cost
	}
	return r, nil
}

// mountHost mounts the host's files (9p) at /host with this machine's devices,
// and writes motion's configuration.
func mountHost() error {
	if err := loadModules("", "virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "netfs", "fscache", "9pnet", "9pnet_virtio", "9p"); err != nil {
		return err
	}
	if err := os.Mkdir("/host", 0o755); err != nil {
		return err
	}
	err := unix.Mount("host", "/host", "9p", unix.MS_RDONLY, "trans=virtio,version=9p2000.L,cache=loose,msize=524288")
	for _, dir := range []string{"/dev", "/proc"} {
		err = errors.Join(err, unix.Mount(dir, "/host"+dir, "", unix.MS_BIND, ""))
	}
	if err := errors.Join(err, unix.Mount("tmpfs", "/host/tmp", "tmpfs", 0, "")); err != nil {
		return fmt.Errorf("see the host's files: %w", err)
	}
	return os.WriteFile("/host/tmp/motion.conf", []byte("daemon off\nlog_level 3\ntarget_dir /tmp\nvideo_device "+videoDevice+
		"\nwidth 640\nheight 480\nframerate 10\npicture_output off\nmovie_output off\nwebcontrol_port 0\nstream_port 0\n"), 0o644)
}

// hostProgram returns a command of a program of the host's files, run in a
// chroot.
func hostProgram(words ...string) *exec.Cmd {
	cmd := exec.Command("/host"+words[0], words[1:]...)
	cmd.Path, cmd.Dir, cmd.SysProcAttr = words[0], "/", &syscall.SysProcAttr{Chroot: "/host"}
	return cmd
}

// samePID returns pid: the started process itself is measured.
func samePID(pid int) (int, error) { return pid, nil }

// cpuPerPicture runs a program for 20 pictures and for 420, and returns the
// processor time of the difference, ms for each picture. Wall time is of no use
// here: this machine's clock leaps while it waits for its host's files.
func cpuPerPicture(program func(pictures int) *exec.Cmd) (float64, error) {
	const few, many = 20, 420
	var ms [3]float64
	for i, pictures := range []int{few, few, many} { // the first run only warms the page cache
		cmd := program(pictures)
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("%w: %s", err, out)
		}
		ms[i] = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds() * 1000
	}
	return (ms[2] - ms[1]) / (many - few), nil
}

// cpuWhileRunning runs a program for a while and returns its processor time for
// each picture, ms. of returns the process to measure.
func cpuWhileRunning(cmd *exec.Cmd, of func(int) (int, error)) (float64, error) {
	const (
		rate       = 10               // pictures a second
		seconds    = 40               // of the measurement
		warmUp     = 30 * time.Second // until it runs evenly
		startedCPU = 2000             // ms of processor time after which it counts as running
	)
	var words strings.Builder
	cmd.Stdout, cmd.Stderr = &words, &words
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	time.Sleep(warmUp)
	pid, err := of(cmd.Process.Pid)
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, words.String())
	}
	// A program from the host's files may still be loading: see cpuPerPicture.
	for begun := time.Now(); cpuTime(pid) < startedCPU; time.Sleep(time.Second) {
		if time.Since(begun) > 2*time.Hour {
			return 0, fmt.Errorf("two hours, and %.0f ms spent:\n%s", cpuTime(pid), words.String())
		}
	}
	before := cpuTime(pid)
	time.Sleep(seconds * time.Second)
	ms := cpuTime(pid) - before
	_ = cmd.Process.Signal(unix.SIGTERM)
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	timer.Stop()
	if ms <= 0 {
		return 0, fmt.Errorf("it did nothing:\n%s", words.String())
	}
	return ms / seconds / rate, nil
}

// cpuTime returns the processor time of a process, proc_pid_stat(5), in ms.
func cpuTime(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return float64(user+system) * 10 // of 100 ticks a second
}
