package probe

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"kerb/agent/advice"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/logbook"
	"kerb/agent/opener"
	"kerb/agent/policy"
	"kerb/agent/process"
)

// lookTimeout bounds one look at a camera: connecting, its password, the first key
// picture of a stream, and a few seconds of pictures. Chosen by hand.
const lookTimeout = 40 * time.Second

// LookAtCamera opens a camera of site.toml and reads pictures for about three seconds
// in a process of its own, within the walls of kerb sense: this process gets their
// size and number alone. For a camera with TLS it also fetches the certificate. A
// built-in scene is not opened.
func LookAtCamera(ctx context.Context, sitePath string, c config.Camera) CameraFacts {
	f := CameraFacts{Name: c.Name, Source: c.Source.String(), Kind: describeKind(c.Source)}
	if _, scene := c.Source.(config.SceneSource); scene {
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if c.Address().TLS {
		f.Certificate = dialCertificate(ctx, c)
	}
	l, err := runLook(ctx, sitePath, c)
	if err != nil {
		f.Error = strings.TrimPrefix(err.Error(), f.Source+": ")
		f.Do = advice.Camera(f.Error)
		return f
	}
	f.Width, f.Height, f.Rate, f.Undecoded = int(l.Width), int(l.Height), math.Round(l.Rate()*10)/10, int(l.Undecoded)
	return f
}

// runLook starts kerb look and returns what it saw, or the reason that it told.
func runLook(ctx context.Context, sitePath string, c config.Camera) (*ipc.Look, error) {
	starter := process.NewStarter()
	defer close(starter)
	quiet := slog.New(slog.DiscardHandler)
	o := opener.New(c, policy.ClipPixels, starter.Start, io.Discard, quiet)
	defer o.Close()
	var words bytes.Buffer
	w := &process.Watcher{
		Name: "look", Args: []string{"look", c.Name, "--site", sitePath}, WithHandover: true, Isolated: true,
		Log: quiet, ChildOutput: &words, Starter: starter,
	}
	p, err := w.StartProcess()
	if err != nil {
		return nil, err
	}
	var notOpened error
	var beside sync.WaitGroup
	serving, stop := context.WithCancel(ctx)
	beside.Go(func() { w.CopyStderr(p.Stderr) })
	beside.Go(func() { p.Handover.Serve(serving, o.OpenFiles, func(err error) { notOpened = err }) })
	kill := context.AfterFunc(ctx, p.Kill)
	l, err := readLook(p)
	err = errors.Join(err, p.Wait())
	kill()
	stop()
	p.Close()
	beside.Wait()
	switch {
	case l != nil:
		return l, nil
	case notOpened != nil:
		return nil, notOpened
	case ctx.Err() != nil:
		return nil, fmt.Errorf("no picture within %s", lookTimeout)
	}
	return nil, errors.New(cmp.Or(lastReason(words.String()), err.Error()))
}

// readLook reads the records of kerb look: its walls, then what it saw.
func readLook(p *process.Process) (*ipc.Look, error) {
	for {
		m, err := ipc.ReadRecord(p.Stdout)
		if err != nil {
			return nil, err
		}
		if l, ok := m.(*ipc.Look); ok {
			return l, nil
		}
	}
}

// lastReason returns the error of the last line that a process wrote; "" where it wrote
// none.
func lastReason(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return logbook.ReadReason(lines[len(lines)-1])
}

// describeKind names a kind of source for people.
func describeKind(s config.Source) string {
	switch s := s.(type) {
	case config.SceneSource:
		return "the built-in street: its numbers are made up"
	case config.RecordingSource:
		return "recording"
	case config.MJPEGSource:
		return "Motion JPEG over HTTP"
	case config.SnapshotSource:
		return fmt.Sprintf("one picture every %s over HTTP", s.PollEvery)
	case config.RTSPSource:
		return "RTSP"
	case config.DeviceSource:
		return "device of the kernel"
	case config.CSISource:
		return "CSI, " + s.Codec
	case config.CommandSource:
		return strings.TrimSpace("command " + s.Format)
	}
	return ""
}

// Describe tells in one line what the camera gave, or why it gave nothing and what to
// do.
func (f CameraFacts) Describe() string {
	switch {
	case f.Error != "":
		return advice.Join(f.Error, f.Do)
	case f.Busy != "":
		return f.Busy
	case f.Width == 0:
		return f.Kind
	}
	text := fmt.Sprintf("%d×%d, %s", f.Width, f.Height, f.Kind)
	if f.Rate > 0 {
		text = fmt.Sprintf("%d×%d, %.1f pictures/s, %s", f.Width, f.Height, f.Rate, f.Kind)
	}
	if f.Undecoded > 0 {
		text += fmt.Sprintf("; %d pictures cannot be decoded", f.Undecoded)
	}
	return text
}

// Failures returns the cameras that gave no picture as one error, a line each; nil
// where all did.
func Failures(cameras []CameraFacts) error {
	var all []error
	for _, f := range cameras {
		if f.Error != "" {
			all = append(all, fmt.Errorf("camera %s: %s", f.Name, f.Describe()))
		}
	}
	return errors.Join(all...)
}
