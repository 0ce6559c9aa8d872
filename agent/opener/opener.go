// Package opener opens one camera, and the programs that its source needs, for a
// process without the right to open: it dials, opens a device or a recording, and
// starts the program of a command source, or kerb decode, which becomes ffmpeg.
//
// It refuses requests other than those of package handover. It does not read from
// a camera: it returns open descriptors. The one text that it reads is the standard
// error of the programs, of which it logs kerb's words for known reasons alone
// (process.CopyProgramStderr).
package opener

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"kerb/agent/cage"
	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/agent/process"
)

// Opener opens one camera, for one request at a time. Signal may be called at the
// same time.
type Opener struct {
	Strict bool // refuse to start a decoder whose walls do not hold; set before the first request

	camera      config.Camera
	maxPixels   int
	startFunc   func(*exec.Cmd) error
	childOutput io.Writer
	log         *slog.Logger

	mu       sync.Mutex
	programs map[byte]*exec.Cmd // by the request that they answer
}

// New makes an Opener of c. Decoders scale pictures down to at most maxPixels of
// luma. start starts programs, such as process.Starter.Start; their log lines go
// to childOutput.
func New(c config.Camera, maxPixels int, start func(*exec.Cmd) error, childOutput io.Writer, log *slog.Logger) *Opener {
	return &Opener{camera: c, maxPixels: maxPixels, startFunc: start, childOutput: childOutput, log: log, programs: map[byte]*exec.Cmd{}}
}

// dialTimeout is the longest that a TCP connection to a camera may take. Linux
// repeats the SYN after one and after three seconds, so that two may be lost.
const dialTimeout = 3500 * time.Millisecond

// OpenFiles answers a request of package handover with open files, which the caller
// closes. A program that answered the same request before is killed.
func (d *Opener) OpenFiles(ctx context.Context, what byte) ([]*os.File, error) {
	switch what {
	case handover.RequestCamera:
		return d.openCamera(ctx)
	case handover.RequestHEVC:
		if src, ok := d.camera.Source.(config.RTSPSource); !ok || !src.FFmpeg {
			return nil, errNoDecoderKey
		}
		return d.startDecoder()
	case handover.RequestUDP:
		if src, ok := d.camera.Source.(config.RTSPSource); !ok || !src.UDP {
			return nil, errors.New("asked for UDP sockets, which this camera does not need")
		}
		return openUDPPair()
	}
	return nil, fmt.Errorf("asked for %q, which is nothing", what)
}

// openCamera is the switch that opens each kind of source. It returns one
// descriptor: a connection, a device, a recording, or the output of a program.
func (d *Opener) openCamera(ctx context.Context) ([]*os.File, error) {
	switch src := d.camera.Source.(type) {
	case config.SceneSource:
		return nil, errors.New("a scene is not opened")
	case config.MJPEGSource, config.RTSPSource, config.SnapshotSource:
		return dialCamera(ctx, d.camera.Address().HostPort)
	case config.DeviceSource:
		return oneFile(OpenDevice(src.Path))
	case config.CSISource:
		words, err := cameraProgram(src)
		if err != nil {
			return nil, err
		}
		return d.startCameraProgram(words)
	case config.CommandSource:
		return d.startCameraProgram(src.Words)
	case config.RecordingSource:
		return oneFile(os.Open(src.Path))
	}
	return nil, fmt.Errorf("camera %s: a source of the kind %T cannot be opened", d.camera.Name, d.camera.Source)
}

// dialCamera connects to the camera at host:port by TCP.
func dialCamera(ctx context.Context, address string) ([]*os.File, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return oneFile(conn.(*net.TCPConn).File())
}

// startCameraProgram starts a program that writes pictures and returns its
// standard output.
func (d *Opener) startCameraProgram(words []string) ([]*os.File, error) {
	_, out, err := d.startProgram(handover.RequestCamera, filepath.Base(words[0]), words, false)
	return oneFile(out, err)
}

// CheckPermanent returns an error for a camera that cannot be opened now or
// later: a folder or a single picture as the recording. The file may be missing,
// because its disk may be mounted later.
func CheckPermanent(c config.Camera) error {
	src, ok := c.Source.(config.RecordingSource)
	if !ok {
		return nil
	}
	switch info, err := os.Stat(src.Path); {
	case err != nil:
	case info.IsDir(), src.Format == config.StillImage:
		return fmt.Errorf("camera %s: %s: stills are for kerb replay: give a recording or an address", c.Name, src.Path)
	}
	return nil
}

// oneFile returns a file as the answer to a request.
func oneFile(f *os.File, err error) ([]*os.File, error) {
	if err != nil {
		return nil, err
	}
	return []*os.File{f}, nil
}

// videoMajor is the major number of Video4Linux character devices (Linux,
// Documentation/admin-guide/devices.txt).
const videoMajor = 81

// OpenDevice opens a Video4Linux camera for reading and writing. It refuses every
// other file.
//
// Go's runtime must not poll the descriptor: on the first poll of an idle camera
// a driver with read(2) starts to capture for reading, and then refuses to map
// its buffers (EBUSY). The descriptor is therefore made non-blocking only after
// os.NewFile has seen it as blocking.
func OpenDevice(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w%s", path, err, deviceHint(err))
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(uint64(st.Rdev)) != videoMajor {
		unix.Close(fd)
		return nil, fmt.Errorf("%s is no camera", path)
	}
	f := os.NewFile(uintptr(fd), path)
	if err := unix.SetNonblock(fd, true); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// deviceHint returns what to do about a device that cannot be opened, as the end of an
// error text; "" where the error says enough.
func deviceHint(err error) string {
	if errors.Is(err, unix.EACCES) {
		return "; the user needs the group video: usermod -aG video USER; as a service, install camera.conf (flash.md)"
	}
	return handover.PrivateDevicesHint()
}

// cameraProgram returns the program that reads a CSI camera, and its arguments.
func cameraProgram(csi config.CSISource) ([]string, error) {
	for _, name := range []string{"rpicam-vid", "libcamera-vid"} { // its name before 2023
		if path, err := exec.LookPath(name); err == nil {
			return []string{
				path, "-n", "-t", "0", "--camera", strconv.Itoa(csi.Number),
				"--width", strconv.Itoa(csi.Width), "--height", strconv.Itoa(csi.Height),
				"--framerate", strconv.Itoa(csi.Rate), "--codec", csi.Codec, "--flush", "-o", "-",
			}, nil
		}
	}
	return nil, errors.New("csi cameras need rpicam-vid, which is not installed: apt install rpicam-apps")
}

// startProgram kills the program that answered the same request before and starts
// another. Its working directory is /, and its standard error goes to the log after the
// name. Its environment is PATH, HOME and LC_ALL, and it can neither write to a file nor
// dump core, from its first instruction on (cage.LaunchArgs). With piped it has a pipe as standard input, an
// empty network namespace and no environment, and limits itself.
func (d *Opener) startProgram(what byte, name string, words []string, piped bool) (in, out *os.File, err error) {
	d.stopProgram(what)
	var childEnds []*os.File
	defer func() {
		for _, f := range childEnds {
			f.Close()
		}
	}()
	pipe := func() (r, w *os.File) {
		if err == nil {
			r, w, err = os.Pipe()
		}
		return r, w
	}
	out, stdout := pipe()
	errOut, stderr := pipe()
	childEnds = append(childEnds, stdout, stderr)
	var stdin *os.File
	if piped {
		stdin, in = pipe()
		childEnds = append(childEnds, stdin)
	}
	args := words[1:]
	if !piped {
		path, lookErr := exec.LookPath(words[0])
		args, err = cage.LaunchArgs(path, words), errors.Join(err, lookErr)
	}
	command := func() *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", args...)
		cmd.Args[0] = "kerb"
		cmd.Env, cmd.Dir = []string{"PATH=" + os.Getenv("PATH"), "HOME=/", "LC_ALL=C"}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
		if cmd.Stdout, cmd.Stderr = stdout, stderr; piped {
			cmd.Stdin, cmd.Env = stdin, []string{}
		}
		return cmd
	}
	cmd := command()
	switch {
	case err != nil:
	case piped: // its input comes through the pipe, so it needs no network
		cmd, err = process.StartIsolated(d.startFunc, command)
	default:
		err = d.startFunc(cmd)
	}
	if err != nil {
		for _, f := range []*os.File{in, out, errOut} {
			f.Close()
		}
		return nil, nil, fmt.Errorf("start %s: %w", words[0], err)
	}
	d.mu.Lock()
	d.programs[what] = cmd
	d.mu.Unlock()
	go func() {
		defer errOut.Close()
		(&process.Watcher{Name: name + " " + d.camera.Name, Log: d.log, ChildOutput: d.childOutput}).CopyProgramStderr(errOut)
	}()
	return in, out, nil
}

// Signal sends a signal to the process group of the program that answers a
// request. Tests use it to stop and to kill camera programs.
func (d *Opener) Signal(what byte, sig syscall.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if cmd := d.programs[what]; cmd != nil {
		_ = syscall.Kill(-cmd.Process.Pid, sig)
	}
}

// stopProgram kills the process group of the program that answers a request, and
// waits for it.
func (d *Opener) stopProgram(what byte) {
	d.mu.Lock()
	cmd := d.programs[what]
	delete(d.programs, what)
	d.mu.Unlock()
	if cmd != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}
}

// Close kills all programs. Files that were returned stay open.
func (d *Opener) Close() {
	for _, what := range []byte{handover.RequestCamera, handover.RequestHEVC} {
		d.stopProgram(what)
	}
}

// udpBufferSize holds a tenth of a second of a camera at 20 Mbit/s.
const udpBufferSize = 256 << 10

// portAttempts is how many free ports are tried for an even one with a free
// neighbour, chosen by hand.
const portAttempts = 64

// openUDPPair opens two UDP sockets, at an even port for RTP and at the next one
// for RTCP (RFC 3550, section 11).
func openUDPPair() ([]*os.File, error) {
	for range portAttempts {
		even, err := net.ListenUDP("udp", nil)
		if err != nil {
			return nil, err
		}
		port := even.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 {
			odd, err := net.ListenUDP("udp", &net.UDPAddr{Port: port + 1})
			if err == nil {
				defer odd.Close()
				defer even.Close()
				_ = even.SetReadBuffer(udpBufferSize)
				a, err := even.File()
				if err != nil {
					return nil, err
				}
				b, err := odd.File()
				if err != nil {
					a.Close()
					return nil, err
				}
				return []*os.File{a, b}, nil
			}
		}
		even.Close()
	}
	return nil, errors.New("no two UDP ports one after the other are free")
}

// Local is an Opener as a handover.Requester inside one process: the camera is
// opened in the process that reads it, which needs no walls then.
type Local struct{ *Opener }

// Request opens the files of a request and returns their descriptors.
func (o Local) Request(ctx context.Context, what byte) ([]int, error) {
	files, err := o.Opener.OpenFiles(ctx, what)
	if err != nil {
		return nil, err
	}
	return handover.DetachFDs(files)
}
