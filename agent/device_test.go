package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"kerb/agent/clock"
	"kerb/agent/demo"
	"kerb/agent/opener"
	"kerb/agent/policy"
)

// vivid is the kernel's virtual camera, a module that this process may load and
// unload. path is a link that follows the device node, as udev's links do.
type vivid struct {
	t    *testing.T
	path string
	cuts int
	kept int // a node that is gone and held open, so that the next has another number
	grab bool
}

// Controls of vivid, Documentation/admin-guide/media/vivid.rst: the share of
// pictures that are lost, in percent, and buttons that let the next call, or the
// next picture, fail. The numbers are those of vivid-ctrls.c.
const (
	lostShare   = 0x00f0f000 + 64
	badPicture  = 0x00f0f000 + 66
	noStream    = 0x00f0f000 + 69
	endOfStream = 0x00f0f000 + 70

	setControl = 0xc008561c // VIDIOC_S_CTRL
)

// set changes a control. It does not use os.OpenFile, whose poller would poll the
// camera, which starts the stream.
func (v *vivid) set(id uint32, value int32) {
	fd, err := unix.Open(v.path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		v.t.Error(err)
		return
	}
	defer unix.Close(fd)
	c := struct {
		id    uint32
		value int32
	}{id, value}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), setControl, uintptr(unsafe.Pointer(&c))); errno != 0 {
		v.t.Errorf("control %#x: %v", id, errno)
	}
}

// pressing presses a button again and again until the fault ends.
func (v *vivid) pressing(name string, button uint32) fault {
	var stop chan struct{}
	var done sync.WaitGroup
	return fault{name, func() {
		stop = make(chan struct{})
		done.Go(func() {
			for {
				v.set(button, 1)
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}, func() { close(stop); done.Wait() }}
}

// unplug unbinds the camera from its driver. Every second time this process keeps the
// old node open, so that the camera comes back under another number.
func (v *vivid) unplug() {
	v.kept = -1
	if v.cuts++; v.cuts%2 == 0 {
		fd, err := unix.Open(v.path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			v.t.Error(err)
		}
		v.kept = fd
	}
	v.bind("unbind")
	_ = os.Remove(v.path)
}

func (v *vivid) bind(how string) {
	if err := os.WriteFile("/sys/bus/platform/drivers/vivid/"+how, []byte("vivid.0"), 0); err != nil {
		v.t.Error(err)
	}
}

func (v *vivid) plug() {
	v.bind("bind")
	v.link()
	if v.kept >= 0 {
		unix.Close(v.kept)
	}
}

// link points path at the present device node, as udev does.
func (v *vivid) link() {
	for range 500 {
		nodes, _ := filepath.Glob("/sys/bus/platform/devices/vivid.0/video4linux/video*")
		if len(nodes) == 1 {
			node := filepath.Join("/dev", filepath.Base(nodes[0]))
			if _, err := os.Stat(node); err == nil {
				if err := os.Symlink(node, v.path); err != nil {
					v.t.Error(err)
				}
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	v.t.Error("vivid makes no node")
}

// remove unloads the module as soon as no process has it open.
func (v *vivid) remove() {
	v.unplug()
	if v.kept >= 0 {
		unix.Close(v.kept)
		v.kept = -1
	}
	for range 500 {
		err := unix.DeleteModule("vivid", unix.O_NONBLOCK)
		if err == nil {
			return
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EBUSY) {
			v.t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	v.t.Error("a process holds the camera that is gone")
}

// insert loads the module as another kind of camera: a webcam, with sizes and
// rates to choose from, or a grabber, which has the rate of its signal.
func (v *vivid) insert() {
	v.grab = !v.grab
	f, err := os.Open("/vivid.ko")
	if err != nil {
		v.t.Error(err)
		return
	}
	defer f.Close()
	kind := 0
	if v.grab {
		kind = 3
	}
	if err := unix.FinitModule(int(f.Fd()), fmt.Sprintf("n_devs=1 node_types=0x1 num_inputs=1 input_types=%d", kind), 0); err != nil {
		v.t.Error(err)
	}
	v.link()
}

// faults returns the faults of the virtual camera. A button that was pressed last lets
// one opening fail after the end of the fault.
func (v *vivid) faults() []fault {
	refused := v.pressing("refuse", noStream)
	press := refused.begin
	refused.begin = func() { v.set(endOfStream, 1); press() }
	return []fault{
		{"cut", v.unplug, v.plug},
		{"stall", func() { v.set(lostShare, 100) }, func() { v.set(lostShare, 0) }},
		v.pressing("garble", badPicture),
		{"break", func() {}, func() { v.set(endOfStream, 1) }},
		refused,
		{"change", v.remove, v.insert},
	}
}

// A camera of the kernel is unplugged, loses its pictures, delivers broken ones,
// breaks off, refuses to begin again, and is replaced by one of another kind at
// the same socket. It needs vivid, which the virtual machine of test/vm has.
func TestEveryFaultOfADevice(t *testing.T) {
	path := os.Getenv("KERB_VIDEO")
	if path == "" {
		t.Skip("KERB_VIDEO names no device of the kernel's made-up camera: make vm")
	}
	rounds := 2
	if os.Getenv("KERB_LONG") != "" {
		rounds = 20
	}
	var to io.Writer = io.Discard
	if os.Getenv("KERB_VERBOSE") != "" {
		to = os.Stderr
	}
	log := slog.New(slog.NewTextHandler(to, nil))
	c := testCamera("device")
	c.Source = parseSource(t, path)
	v := &vivid{t: t, path: path}
	s := testSource{c, func(*opener.Opener) []fault { return v.faults() }}
	sensor, _ := demo.NewLocalCamera(c, policy.Demo(), (*exec.Cmd).Start, clock.SinceBoot, log)
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	running.Go(func() { sensor.Run(ctx) })
	defer running.Wait()
	defer cancel()
	causeFaults(t, sensor, nil, s, 1) // it makes what the others find
	was := measureUse(t)
	causeFaults(t, sensor, nil, s, rounds)
	is := measureUse(t)
	t.Logf("before %d rounds: %s", rounds, was)
	t.Logf("after them: %s", is)
	if what := cmp.Or(is.grown(was), is.more(was)); what != "" {
		t.Errorf("%s grew", what)
	}
}

// more names the resource of which there is more than before, with no tolerance: a
// single camera without faults opens and closes none.
func (u use) more(was use) string {
	switch {
	case u.files > was.files:
		return "descriptors"
	case u.goroutines > was.goroutines+1:
		return "goroutines"
	}
	return ""
}
