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

// sketchRestartDelay is the delay before an ended sketching process is started
// again. Chosen by hand.
const sketchRestartDelay = time.Second

// runSketchProcess runs the process that reads the camera (kerb sketch), in a
// network namespace of its own, and starts it again whenever it ends, until ctx
// does. It serves the process's requests for the camera, sends it layouts, and
// hands its reports to the page. It reads the fingerprint before each start,
// because the page may have written site.toml.
func (s *Session) runSketchProcess(ctx context.Context, cam config.Camera) {
	starter := process.NewStarter()
	defer close(starter)
	camera := opener.New(cam, s.Decision.Policy.MaxPixels(), starter.Start, s.ChildOutput, s.Log)
	camera.Strict = s.Config.Device.Strict
	defer camera.Close()
	var last *record.Layout
	for ctx.Err() == nil {
		fingerprint, err := s.ReadFingerprint(s.Decision)
		if err != nil {
			s.Log.Error("read the files again", "err", err)
			return
		}
		flags := admission.ChildFlags{Files: s.Files, Fingerprint: fingerprint}
		w := &process.Watcher{
			Name: "sketch " + cam.Name, Args: append([]string{"sketch", cam.Name}, flags.Args()...), WithHandover: true, Isolated: true,
			Log: s.Log, ChildOutput: s.ChildOutput, Starter: starter,
		}
		p, err := w.StartProcess()
		if err == nil {
			last, err = s.relayUntilExit(ctx, w, p, last, func(ctx context.Context) {
				p.Handover.Serve(ctx, camera.OpenFiles, func(err error) {
					s.server.SetTrouble(err.Error())
					s.Log.Warn("camera lost", "camera", cam.Name, "err", err)
				})
			})
		}
		if ctx.Err() != nil {
			return
		}
		s.Log.Warn("process ended", "process", w.Name, "err", err)
		select {
		case <-time.After(sketchRestartDelay):
		case <-ctx.Done():
		}
	}
}

// relayUntilExit hands the reports of one sketching process to the page until the
// process ends or sends a wrong record, which kills it. serveHandover serves its
// requests for the camera meanwhile. last is the layout to send first, or nil; it
// returns the layout that was sent last, and the error of the process.
func (s *Session) relayUntilExit(ctx context.Context, w *process.Watcher, p *process.Process, last *record.Layout, serveHandover func(context.Context)) (*record.Layout, error) {
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	helpers.Go(func() { w.CopyStderr(p.Stderr) })
	helpers.Go(func() { serveHandover(ctx) })
	helpers.Go(func() { last = s.sendLayouts(ctx, p, last) })
	stop := context.AfterFunc(ctx, func() { _ = p.Stdout.SetReadDeadline(time.Unix(1, 0)) }) // in the past: ends the read
	var err error
	for err == nil {
		var r *record.Report
		if r, err = record.ReadReport(p.Stdout); err == nil {
			s.server.HandleReport(r)
		}
	}
	stop()
	cancel()
	p.Kill()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	err = errors.Join(err, p.Wait())
	p.Close()
	helpers.Wait()
	return last, err
}

// sendLayouts sends the layout last, if any, and then each new one of the page,
// until ctx ends or a write fails. It returns the layout that was sent last; the
// reader of the reports notices that the process is gone.
func (s *Session) sendLayouts(ctx context.Context, p *process.Process, last *record.Layout) *record.Layout {
	w := record.NewWriter(p.Stdin)
	for {
		if last != nil {
			_ = p.Stdin.SetWriteDeadline(time.Now().Add(process.WriteTimeout))
			if w.WriteRecord(last) != nil {
				return last
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
