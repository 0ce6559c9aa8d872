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

// costs is what programs spend on the camera's pictures, one program after the
// other: ms of processor for each picture, of 640×480 and ten a second. Kerb's
// driver and ffmpeg take the luma and do nothing with it; kerb run and motion
// look for what moves, in bars that stand still and a clock that runs. Those of
// others are this machine's host's.
func costs() (any, error) {
	if err := seeHost(); err != nil {
		return nil, err
	}
	if err := byMotion(); err != nil {
		return nil, err
	}
	ffmpeg := func(format string, pictures int) *exec.Cmd {
		return guest("/usr/bin/ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1", "-f", "v4l2", "-input_format", format, "-video_size", "640x480",
			"-framerate", "10", "-i", videoDevice, "-an", "-frames:v", strconv.Itoa(pictures), "-vf", "format=gray", "-f", "rawvideo", "-y", "/dev/null")
	}
	luma := exec.Command("/agent.test", "luma", "/site.toml", "usb1")
	luma.Env = []string{"KERB_COST=1"}
	r := map[string]float64{}
	for _, format := range []string{"gray", "yuyv422"} {
		cost, err := counting(func(pictures int) *exec.Cmd { return ffmpeg(format, pictures) })
		if err != nil {
			return nil, fmt.Errorf("ffmpeg: %w", err)
		}
		r["ffmpeg "+format] = cost
	}
	_ = guest("/usr/bin/motion", "-h").Run() // its libraries are read, however long that takes; help is a failure to it
	for _, c := range []struct {
		name string
		cmd  *exec.Cmd
		of   func(pid int) (int, error)
	}{
		{"kerb luma", luma, itself},
		{"motion", guest("/usr/bin/motion", "-n", "-c", "/tmp/motion.conf"), itself},
		{"kerb run", exec.Command("/kerb", "run", "-site", "/site.toml", "-policy", "/policy.toml"), seeing},
	} {
		cost, err := spending(c.cmd, c.of)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		r[c.name] = cost
	}
	return r, nil
}

// seeHost mounts the files of this machine's host, and gives them this machine's
// devices.
func seeHost() error {
	if err := load("", "virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "netfs", "fscache", "9pnet", "9pnet_virtio", "9p"); err != nil {
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

// guest is a program of the host's, in this machine.
func guest(words ...string) *exec.Cmd {
	cmd := exec.Command("/host"+words[0], words[1:]...)
	cmd.Path, cmd.Dir, cmd.SysProcAttr = words[0], "/", &syscall.SysProcAttr{Chroot: "/host"}
	return cmd
}

func itself(pid int) (int, error) { return pid, nil }

// counting runs a program that ends after so many pictures, and says what more of
// them cost, ms for each. This machine's clock leaps while it waits for its host's
// files, so that a time would say nothing of a program that comes from there.
func counting(program func(pictures int) *exec.Cmd) (float64, error) {
	const few, many = 20, 420
	var ms [3]float64
	for i, pictures := range []int{few, few, many} { // the first finds nothing in memory
		cmd := program(pictures)
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("%w: %s", err, out)
		}
		ms[i] = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds() * 1000
	}
	return (ms[2] - ms[1]) / (many - few), nil
}

// spending runs a program for a while and says what it spends on a picture, ms.
func spending(cmd *exec.Cmd, of func(int) (int, error)) (float64, error) {
	const rate, seconds = 10, 40
	var words strings.Builder
	cmd.Stdout, cmd.Stderr = &words, &words
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	time.Sleep(30 * time.Second) // a while until it runs evenly
	pid, err := of(cmd.Process.Pid)
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, words.String())
	}
	// By now what comes from the host may not even have begun: see counting.
	for begun := time.Now(); spent(pid) < 2000; time.Sleep(time.Second) {
		if time.Since(begun) > 2*time.Hour {
			return 0, fmt.Errorf("two hours, and %.0f ms spent:\n%s", spent(pid), words.String())
		}
	}
	before := spent(pid)
	time.Sleep(seconds * time.Second)
	ms := spent(pid) - before
	_ = cmd.Process.Signal(unix.SIGTERM)
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	timer.Stop()
	if ms <= 0 {
		return 0, fmt.Errorf("it did nothing:\n%s", words.String())
	}
	return ms / seconds / rate, nil
}

// spent is the processor time of a process, proc_pid_stat(5), in ms.
func spent(pid int) float64 {
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
