package commission

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"kerb/agent/admission"
	"kerb/agent/aim"
	"kerb/agent/config"
	"kerb/agent/opener"
	"kerb/agent/process"
)

// see keeps the process alive that sees the camera, and carries its reports to
// the page and the page's layouts to it.
func (s *AimSession) see(ctx context.Context, cam config.Camera) {
	nursery := process.NewNursery()
	defer close(nursery)
	door := opener.NewDoor(cam, s.Verdict.Policy.MaxPixels(), nursery.Start, s.Words, s.Log)
	defer door.Close()
	var last *aim.Layout
	for ctx.Err() == nil {
		agreed, err := s.Agree(s.Verdict) // the page may have written the file
		if err != nil {
			s.Log.Error("read the files again", "err", err)
			return
		}
		in := admission.Inner{Files: s.Files, Agreed: agreed}
		w := &process.Ward{
			Name: "sketch " + cam.Name, Args: append([]string{"sketch", cam.Name}, in.Args()...), Hatch: true, Apart: true,
			Log: s.Log, Words: s.Words, Nursery: nursery,
		}
		c, err := w.Start()
		if err == nil {
			last, err = s.life(ctx, w, c, last, func(ctx context.Context) {
				c.Hatch.Serve(ctx, door.Open, func(err error) { s.Log.Warn("camera not opened", "camera", cam.Name, "err", err) })
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

// life is one life of that process. It returns the layout that was told last.
func (s *AimSession) life(ctx context.Context, w *process.Ward, c *process.Child, last *aim.Layout, hatch func(context.Context)) (*aim.Layout, error) {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { w.Relay(c.Err) })
	beside.Go(func() { hatch(ctx) })
	beside.Go(func() { last = s.tellLayouts(ctx, c, last) })
	stop := context.AfterFunc(ctx, func() { _ = c.Out.SetReadDeadline(time.Unix(1, 0)) })
	var err error
	for err == nil {
		var r *aim.Report
		if r, err = aim.ReadReport(c.Out); err == nil {
			s.server.Take(r)
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

// tellLayouts hands on the layout that was told last, and then each new one.
func (s *AimSession) tellLayouts(ctx context.Context, c *process.Child, last *aim.Layout) *aim.Layout {
	pen := aim.NewPen(c.In)
	for {
		if last != nil {
			_ = c.In.SetWriteDeadline(time.Now().Add(process.Hearing))
			if pen.Write(last) != nil {
				return last // its end is seen where it is read
			}
		}
		select {
		case l := <-s.server.Layouts():
			last = l
		case <-ctx.Done():
			return last
		}
	}
}
