package opener

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kerb/agent/config"
	"kerb/agent/handover"
	"kerb/agent/process"
)

// hangLimit ends a read that would otherwise wait for ever. No test depends on it
// while the code is right.
const hangLimit = time.Minute

// newOpener makes an Opener of a source, whose programs a thread of the test starts.
func newOpener(t *testing.T, src config.Source, childOutput io.Writer) *Opener {
	t.Helper()
	s := process.NewStarter()
	o := New(config.Camera{Name: "gate", Source: src}, 640*480, s.Start, childOutput, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		o.Close()
		close(s)
	})
	return o
}

// openOne answers a request that has one file.
func openOne(t *testing.T, o *Opener, request byte) *os.File {
	t.Helper()
	files, err := o.OpenFiles(t.Context(), request)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	t.Cleanup(func() { files[0].Close() })
	_ = files[0].SetReadDeadline(time.Now().Add(hangLimit)) // refused for a file of a disk
	return files[0]
}

// writeFile writes a file of a test folder and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestARecordingIsOpenedForReadingOnly(t *testing.T) {
	path := writeFile(t, "a.avi", "RIFF")
	f := openOne(t, newOpener(t, config.RecordingSource{Path: path}, io.Discard), handover.RequestCamera)
	if got, err := io.ReadAll(f); string(got) != "RIFF" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := f.WriteString("x"); !errors.Is(err, unix.EBADF) {
		t.Errorf("a write: %v", err)
	}
	again, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.WriteString("x"); err != nil {
		t.Errorf("control: this file cannot be written at all: %v", err)
	}
}

func TestANetworkCameraIsDialled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := config.Address{HostPort: l.Addr().String()}
	for _, src := range []config.Source{config.MJPEGSource{Address: at}, config.RTSPSource{Address: at}, config.SnapshotSource{Address: at}} {
		t.Run(fmt.Sprintf("%T", src), func(t *testing.T) {
			f := openOne(t, newOpener(t, src, io.Discard), handover.RequestCamera)
			camera, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_, err = camera.Write([]byte("picture"))
			if err := errors.Join(err, camera.Close()); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(f); string(got) != "picture" || err != nil {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
}

func TestWhatCannotBeOpenedIsAnErrorThatSaysWhy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	t.Setenv("PATH", t.TempDir()) // neither ffmpeg nor rpicam-vid
	for name, c := range map[string]struct {
		src     config.Source
		request byte
		text    string
		is      error
	}{
		"a camera that refuses":    {config.RTSPSource{Address: config.Address{HostPort: closed}}, handover.RequestCamera, closed, unix.ECONNREFUSED},
		"a missing recording":      {config.RecordingSource{Path: "/missing.avi"}, handover.RequestCamera, "/missing.avi", fs.ErrNotExist},
		"a missing program":        {config.CommandSource{Words: []string{"/missing/program"}}, handover.RequestCamera, "start /missing/program", fs.ErrNotExist},
		"a missing device":         {config.DeviceSource{Path: "/dev/missing"}, handover.RequestCamera, "open /dev/missing", fs.ErrNotExist},
		"a scene":                  {config.SceneSource{Words: "street"}, handover.RequestCamera, "a scene is not opened", nil},
		"no source":                {nil, handover.RequestCamera, "camera gate", nil},
		"a CSI camera, no program": {config.CSISource{}, handover.RequestCamera, "apt install rpicam-apps", nil},
		"H.265 without ffmpeg":     {config.RTSPSource{FFmpeg: true}, handover.RequestHEVC, "apt install ffmpeg", errNoDecoder},
		"H.265 without the key":    {config.RTSPSource{UDP: true}, handover.RequestHEVC, "second stream to H.264", errNoDecoderKey},
		"a decoder of M-JPEG":      {config.MJPEGSource{}, handover.RequestHEVC, "second stream to H.264", errNoDecoderKey},
		"UDP for TCP":              {config.RTSPSource{FFmpeg: true}, handover.RequestUDP, "does not need", nil},
		"UDP for a recording":      {config.RecordingSource{}, handover.RequestUDP, "does not need", nil},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := newOpener(t, c.src, io.Discard).OpenFiles(t.Context(), c.request)
			if err == nil || files != nil || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("%v, %v", files, err)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is no %v", err, c.is)
			}
		})
	}
}

func TestAnUnknownRequestIsAnErrorThatOpensNothing(t *testing.T) {
	o := newOpener(t, config.RecordingSource{Path: writeFile(t, "a.avi", "RIFF")}, io.Discard)
	for _, request := range []byte{0, '+', '-', 'O', 'x', 0xff} {
		if files, err := o.OpenFiles(t.Context(), request); err == nil || files != nil {
			t.Errorf("request %q: %v, %v", request, files, err)
		}
	}
	openOne(t, o, handover.RequestCamera) // the control: this Opener can open
}

func TestOnlyAVideoDeviceIsOpenedAsADevice(t *testing.T) {
	for path, text := range map[string]string{
		"/dev/null":                  "/dev/null is no camera",
		"/dev/zero":                  "/dev/zero is no camera",
		writeFile(t, "video0", "no"): "video0 is no camera",
		t.TempDir():                  "is a directory",
		"/dev/missing":               "open /dev/missing: no such file or directory",
	} {
		f, err := OpenDevice(path)
		if err == nil || f != nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", path, err, text)
		}
	}
}

func TestARefusedDeviceLeavesNoDescriptorOpen(t *testing.T) {
	path := writeFile(t, "video0", "no")
	count := func() (n int) {
		all, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range all {
			if name, err := os.Readlink(fd); err == nil && name == path {
				n++
			}
		}
		return n
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n := count(); n != 1 {
		t.Fatalf("control: an open file has %d descriptors", n)
	}
	if _, err := OpenDevice(path); err == nil {
		t.Error("a file was opened as a device")
	}
	if n := count(); n != 1 {
		t.Errorf("%d descriptors are open", n)
	}
}

func TestTheUDPSocketsAreAtAnEvenPortAndTheNext(t *testing.T) {
	files, err := newOpener(t, config.RTSPSource{UDP: true}, io.Discard).OpenFiles(t.Context(), handover.RequestUDP)
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var ports []int
	for i, f := range files {
		c, err := net.FilePacketConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		port := c.LocalAddr().(*net.UDPAddr).Port
		ports = append(ports, port)
		camera, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer camera.Close()
		packet, buf := fmt.Sprintf("packet %d", i), make([]byte, 64)
		if _, err := camera.Write([]byte(packet)); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(hangLimit))
		if n, _, err := c.ReadFrom(buf); string(buf[:n]) != packet || err != nil {
			t.Errorf("socket %d received %q, %v", i, buf[:n], err)
		}
	}
	if ports[0]%2 != 0 || ports[1] != ports[0]+1 {
		t.Errorf("the ports are %d", ports)
	}
}

func TestAFolderOrASinglePictureIsNoRecording(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		src     config.Source
		refused bool
	}{
		"a recording":           {config.RecordingSource{Path: writeFile(t, "a.avi", "RIFF")}, false},
		"a missing recording":   {config.RecordingSource{Path: filepath.Join(dir, "later.avi")}, false},
		"a folder":              {config.RecordingSource{Path: dir}, true},
		"a single picture":      {config.RecordingSource{Path: writeFile(t, "a.jpg", "JFIF"), Format: config.StillImage}, true},
		"a missing picture":     {config.RecordingSource{Path: filepath.Join(dir, "later.jpg"), Format: config.StillImage}, false},
		"a camera":              {config.RTSPSource{}, false},
		"a program":             {shell("exit 1"), false},
		"/dev/null as a device": {config.DeviceSource{Path: "/dev/null"}, false},
		"a scene":               {config.SceneSource{Words: "street"}, false},
	} {
		err := CheckPermanent(config.Camera{Name: "gate", Source: c.src})
		if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "camera gate: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The descriptors of an Opener arrive, whether they cross a socket or not.
func TestTheOpenedDescriptorReachesTheRequester(t *testing.T) {
	o := newOpener(t, config.RecordingSource{Path: writeFile(t, "a.avi", "RIFF")}, io.Discard)
	serving, file, err := handover.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	asking, err := handover.NewConn(file)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		serving.Serve(t.Context(), o.OpenFiles, func(err error) { t.Error(err) })
	}()
	defer func() {
		asking.Close()
		<-ended
		serving.Close()
	}()
	for name, r := range map[string]handover.Requester{"in this process": Local{o}, "over a socket": asking} {
		fds, err := r.Request(t.Context(), handover.RequestCamera)
		if err != nil || len(fds) != 1 {
			t.Fatalf("%s: %d descriptors, %v", name, len(fds), err)
		}
		f := os.NewFile(uintptr(fds[0]), name)
		if got, err := io.ReadAll(f); string(got) != "RIFF" || err != nil {
			t.Errorf("%s: read %q, %v", name, got, err)
		}
		f.Close()
	}
}
