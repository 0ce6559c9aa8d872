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

	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/agent/process"
)

// A door opens one camera, and what it needs, for whoever may open nothing: it
// dials, opens a device or a recording, or starts a program. It reads nothing
// of what comes out.
type Opener struct {
	camera      config.Camera
	pixels      int
	startFunc   func(*exec.Cmd) error
	childOutput io.Writer
	log         *slog.Logger

	mu       sync.Mutex
	programs map[byte]*exec.Cmd // by what was asked for
}

func New(c config.Camera, pixels int, start func(*exec.Cmd) error, words io.Writer, log *slog.Logger) *Opener {
	return &Opener{camera: c, pixels: pixels, startFunc: start, childOutput: words, log: log, programs: map[byte]*exec.Cmd{}}
}

// dialTimeout is how long a camera may take to answer. A second packet is sent
// after one second, a third after three.
const dialTimeout = 3500 * time.Millisecond

// open opens what is asked for. What was opened before is over then, and its
// program is ended.
func (d *Opener) Open(ctx context.Context, what byte) ([]*os.File, error) {
	switch what {
	case handover.RequestCamera:
		return d.openCamera(ctx)
	case handover.RequestAVC, handover.RequestHEVC, handover.RequestClip:
		return d.startDecoder(what)
	case handover.RequestUDP:
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
	_, out, err := d.startProgram(handover.RequestCamera, words, false)
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

func oneFile(f *os.File, err error) ([]*os.File, error) {
	if err != nil {
		return nil, err
	}
	return []*os.File{f}, nil
}

// openDevice opens a camera of the kernel, whose character devices are of
// major number 81. Go must not wait for it: a driver that can be read takes the
// first poll of an idle camera for the wish to read, and is busy then for whoever
// maps its buffers. So it becomes non-blocking only when Go has it already.
func OpenDevice(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w%s", path, err, handover.PrivateDevicesHint())
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(uint64(st.Rdev)) != 81 {
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

// errNoDecoder says what to do about it.
var errNoDecoder = errors.New("H.264, H.265 and clips need ffmpeg, which is not installed: apt install ffmpeg, or let the camera send JPEGs")

// startDecoder starts ffmpeg between two pipes. It has no address, so it needs no
// network, and no password; it gives luma only, at the rate and in the size
// that are looked at.
func (d *Opener) startDecoder(what byte) ([]*os.File, error) {
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, errNoDecoder
	}
	words := clipDecoderArgs(d.pixels)
	if what != handover.RequestClip {
		words = streamDecoderArgs(map[byte]string{handover.RequestAVC: "h264", handover.RequestHEVC: "hevc"}[what], d.camera.FrameInterval(), d.pixels)
	}
	in, out, err := d.startProgram(what, append([]string{path}, words...), true)
	if err != nil {
		return nil, err
	}
	return []*os.File{in, out}, nil
}

// streamDecoderArgs is what ffmpeg is told. A picture's time is when it came, since a bare
// stream has none; -probesize and the flags keep it from collecting pictures
// before it gives any.
func streamDecoderArgs(codec string, every time.Duration, pixels int) []string {
	filter := "null"
	if every > 0 {
		filter = fmt.Sprintf("select='isnan(prev_selected_t)+gte(t-prev_selected_t,%.3f)'", 0.75*every.Seconds())
	}
	return []string{
		"-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1",
		"-fflags", "nobuffer", "-flags", "low_delay", "-probesize", "4096", "-analyzeduration", "0",
		"-use_wallclock_as_timestamps", "1", "-f", codec, "-i", "pipe:0",
		"-an", "-vf", filter + "," + lumaFilter(pixels), "-fps_mode", "passthrough", "-flush_packets", "1", "-strict", "-1", "-f", "yuv4mpegpipe", "pipe:1",
	}
}

// clipDecoderArgs is what ffmpeg is told of a clip: one picture a second, of a minute
// at most.
func clipDecoderArgs(pixels int) []string {
	return []string{
		"-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1",
		"-protocol_whitelist", "pipe", "-f", "mp4", "-i", "pipe:0",
		"-an", "-t", "60", "-vf", "fps=1," + lumaFilter(pixels), "-flush_packets", "1", "-strict", "-1", "-f", "yuv4mpegpipe", "pipe:1",
	}
}

// lumaFilter is a filter that gives no more than so many pixels of luma.
func lumaFilter(pixels int) string {
	fit := fmt.Sprintf("sqrt(%d/(iw*ih))", pixels)
	return fmt.Sprintf("scale=w='if(gt(iw*ih,%[1]d),2*floor(iw*%[2]s/2),iw)':h='if(gt(iw*ih,%[1]d),2*floor(ih*%[2]s/2),ih)':flags=fast_bilinear,format=gray", pixels, fit)
}

// run starts a program in the place of the one that was asked for likewise
// before. It is given no more of the environment than it needs to be found, and
// it cannot make a file longer.
func (d *Opener) startProgram(what byte, words []string, fed bool) (in, out *os.File, err error) {
	d.stopProgram(what)
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
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
	said, stderr := pipe()
	theirs = append(theirs, stdout, stderr)
	var stdin *os.File
	if fed {
		stdin, in = pipe()
		theirs = append(theirs, stdin)
	}
	command := func() *exec.Cmd {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Env, cmd.Dir = []string{"PATH=" + os.Getenv("PATH"), "HOME=/", "LC_ALL=C"}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
		if cmd.Stdout, cmd.Stderr = stdout, stderr; fed {
			cmd.Stdin = stdin
		}
		return cmd
	}
	cmd := command()
	switch {
	case err != nil:
	case fed: // what it works on comes through its pipe: it needs no network
		cmd, err = process.StartIsolated(d.startFunc, command)
	default:
		err = d.startFunc(cmd)
	}
	if err != nil {
		for _, f := range []*os.File{in, out, said} {
			f.Close()
		}
		return nil, nil, fmt.Errorf("start %s: %w", words[0], err)
	}
	none := &unix.Rlimit{}
	_ = unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_FSIZE, none, nil)
	_ = unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_CORE, none, nil)
	d.mu.Lock()
	d.programs[what] = cmd
	d.mu.Unlock()
	go func() {
		defer said.Close()
		(&process.Watcher{Name: filepath.Base(words[0]) + " " + d.camera.Name, Log: d.log, ChildOutput: d.childOutput}).CopyStderr(said)
	}()
	return in, out, nil
}

// Signal sends a signal to the program that answers a request, and to all that
// it started.
func (d *Opener) Signal(what byte, sig syscall.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if cmd := d.programs[what]; cmd != nil {
		_ = syscall.Kill(-cmd.Process.Pid, sig)
	}
}

// end ends a program and all that it started.
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

func (d *Opener) Close() {
	for _, what := range []byte{handover.RequestCamera, handover.RequestAVC, handover.RequestHEVC, handover.RequestClip} {
		d.stopProgram(what)
	}
}

// udpBufferSize holds what a camera sends in a tenth of a second, at 20 Mbit/s.
const udpBufferSize = 256 << 10

// openUDPPair is two UDP sockets at an even port and the one after it, as RTP
// wants them.
func openUDPPair() ([]*os.File, error) {
	for range 64 {
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
				return []*os.File{a, b}, err
			}
		}
		even.Close()
	}
	return nil, errors.New("no two UDP ports one after the other are free")
}

// opened is a door as an opener, for one who needs no walls.
type Local struct{ *Opener }

func (o Local) Request(ctx context.Context, what byte) ([]int, error) {
	files, err := o.Opener.Open(ctx, what)
	if err != nil {
		return nil, err
	}
	return handover.DetachFDs(files)
}
