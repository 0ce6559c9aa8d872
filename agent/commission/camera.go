package commission

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"kerb/agent/admission"
	"kerb/agent/aim/record"
	"kerb/agent/config"
	"kerb/agent/opener"
	"kerb/agent/process"
)

// runSketchProcess keeps the process alive that sees the camera, and carries its reports to
// the page and the page's layouts to it.
func (s *Session) runSketchProcess(ctx context.Context, cam config.Camera) {
	nursery := process.NewStarter()
	defer close(nursery)
	door := opener.New(cam, s.Decision.Policy.MaxPixels(), nursery.Start, s.ChildOutput, s.Log)
	defer door.Close()
	var last *record.Layout
	for ctx.Err() == nil {
		agreed, err := s.ReadFingerprint(s.Decision) // the page may have written the file
		if err != nil {
			s.Log.Error("read the files again", "err", err)
			return
		}
		in := admission.ChildFlags{Files: s.Files, Fingerprint: agreed}
		w := &process.Watcher{
			Name: "sketch " + cam.Name, Args: append([]string{"sketch", cam.Name}, in.Args()...), WithHandover: true, Isolated: true,
			Log: s.Log, ChildOutput: s.ChildOutput, Starter: nursery,
		}
		c, err := w.Start()
		if err == nil {
			last, err = s.relayUntilExit(ctx, w, c, last, func(ctx context.Context) {
				c.Handover.Serve(ctx, door.Open, func(err error) { s.Log.Warn("camera not opened", "camera", cam.Name, "err", err) })
			})
		}
		if ctx.Err() != nil {
			return
		}
		s.Log.Warn("process ended", "process", w.Name, "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// relayUntilExit is one life of that process. It returns the layout that was told last.
func (s *Session) relayUntilExit(ctx context.Context, w *process.Watcher, c *process.Process, last *record.Layout, hatch func(context.Context)) (*record.Layout, error) {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { w.CopyStderr(c.Stderr) })
	beside.Go(func() { hatch(ctx) })
	beside.Go(func() { last = s.sendLayouts(ctx, c, last) })
	stop := context.AfterFunc(ctx, func() { _ = c.Stdout.SetReadDeadline(time.Unix(1, 0)) })
	var err error
	for err == nil {
		var r *record.Report
		if r, err = record.ReadReport(c.Stdout); err == nil {
			s.server.HandleReport(r)
		}
	}
	stop()
	cancel()
	c.Kill()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	err = errors.Join(err, c.Wait())
	c.Close()
	beside.Wait()
	return last, err
}

// sendLayouts hands on the layout that was told last, and then each new one.
func (s *Session) sendLayouts(ctx context.Context, c *process.Process, last *record.Layout) *record.Layout {
	pen := record.NewWriter(c.Stdin)
	for {
		if last != nil {
			_ = c.Stdin.SetWriteDeadline(time.Now().Add(process.WriteTimeout))
			if pen.WriteRecord(last) != nil {
				return last // its end is seen where it is read
			}
		}
		select {
		case l := <-s.server.LayoutUpdates():
			last = l
		case <-ctx.Done():
			return last
		}
	}
}
