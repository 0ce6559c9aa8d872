package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"kerb/agent/aim"
	"kerb/agent/config"
)

// see keeps the process alive that sees the camera, and carries its reports to
// the page and the page's layouts to it.
func (s *aimSession) see(ctx context.Context, cam config.Camera) {
	nursery := newNursery()
	defer close(nursery)
	door := newDoor(cam, s.verdict.policy.MaxPixels(), nursery.start, s.words, s.log)
	defer door.close()
	var last *aim.Layout
	for ctx.Err() == nil {
		agreed, err := s.agree(s.verdict) // the page may have written the file
		if err != nil {
			s.log.Error("read the files again", "err", err)
			return
		}
		in := inner{files: s.files, Agreed: agreed}
		w := &ward{
			name: "sketch " + cam.Name, args: append([]string{"sketch", cam.Name}, in.args()...), hatch: true, apart: true,
			log: s.log, words: s.words, nursery: nursery,
		}
		c, err := w.start()
		if err == nil {
			last, err = s.life(ctx, w, c, last, func(ctx context.Context) {
				c.hatch.serve(ctx, door.open, func(err error) { s.log.Warn("camera not opened", "camera", cam.Name, "err", err) })
			})
		}
		if ctx.Err() != nil {
			return
		}
		s.log.Warn("process ended", "process", w.name, "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// life is one life of that process. It returns the layout that was told last.
func (s *aimSession) life(ctx context.Context, w *ward, c *child, last *aim.Layout, hatch func(context.Context)) (*aim.Layout, error) {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { w.relay(c.err) })
	beside.Go(func() { hatch(ctx) })
	beside.Go(func() { last = s.tellLayouts(ctx, c, last) })
	stop := context.AfterFunc(ctx, func() { _ = c.out.SetReadDeadline(time.Unix(1, 0)) })
	var err error
	for err == nil {
		var r *aim.Report
		if r, err = aim.ReadReport(c.out); err == nil {
			s.server.Take(r)
		}
	}
	stop()
	cancel()
	c.kill()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	err = errors.Join(err, c.wait())
	c.close()
	beside.Wait()
	return last, err
}

// tellLayouts hands on the layout that was told last, and then each new one.
func (s *aimSession) tellLayouts(ctx context.Context, c *child, last *aim.Layout) *aim.Layout {
	pen := aim.NewPen(c.in)
	for {
		if last != nil {
			_ = c.in.SetWriteDeadline(time.Now().Add(hearing))
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
