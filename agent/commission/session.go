package commission

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"kerb/agent/admission"
	"kerb/agent/aim"
	"kerb/agent/cage"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/counting"
)

func CloseAll(ls []net.Listener) {
	for _, l := range ls {
		l.Close()
	}
}

// aimSession is one session of aiming.
type AimSession struct {
	admission.Files
	Conf      *config.Site
	Verdict   admission.Verdict
	Camera    int
	Until     time.Duration // monotonic
	Sketches  bool
	Listeners []net.Listener
	Closed    func() string // why no camera may be used now; "" where it may

	Out   io.Writer
	Json  bool
	Log   *slog.Logger
	Words io.Writer

	keeper keeper
	redraw redrawer
	server *aim.Server
}

func (s *AimSession) Run(ctx context.Context, length time.Duration) error {
	agreed, err := s.Agree(s.Verdict)
	if err != nil {
		return err
	}
	cam := s.Conf.Cameras[s.Camera]
	if s.keeper, err = openKeeper(ctx, s.Conf, s.Verdict, uint16(s.Camera), agreed, length, s.Log); err != nil {
		return err
	}
	why := uint8(ipc.AimLost)
	defer func() { s.keeper.End(why) }()
	report, err := cage.Supervisor().Apply()
	if err != nil {
		return err
	}
	if err := report.Strict(); err != nil && s.Conf.Device.Strict {
		return err
	}
	s.redraw = redrawer{path: s.Site, camera: s.Camera, policy: s.Verdict.Policy}
	s.server = aim.New(aim.Opts{
		Device: s.Conf.Device.Name, Camera: cam.Name, Classes: s.classes(), Sketches: s.Sketches, Plan: plan(cam.Drawing()),
		Now: clock.Mono, Until: s.Until, Code: s.tellCode, Note: s.Note,
		Check: s.redraw.check, Save: s.redraw.save, Undo: s.redraw.undo, Accept: s.accept,
	})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	seeing := make(chan struct{})
	go func() {
		defer close(seeing)
		s.see(ctx, cam)
	}()
	go s.watchHours(ctx)
	go func() {
		select {
		case <-s.keeper.gone():
			s.server.End("stopped")
		case <-ctx.Done():
		}
	}()
	ended, err := s.server.Serve(ctx, joined(s.Listeners))
	stop()
	<-seeing
	why = whyEnd(ended)
	s.tellEnd(ended)
	return err
}

// watchHours ends the session with the policy's hours.
func (s *AimSession) watchHours(ctx context.Context) {
	for ctx.Err() == nil {
		if s.Closed() != "" {
			s.server.End("closed")
			return
		}
		select {
		case <-time.After(policy.HoursMargin):
		case <-ctx.Done():
		}
	}
}

func whyEnd(word string) uint8 {
	return map[string]uint8{
		"ended": ipc.AimDone, "expired": ipc.AimExpired, "locked": ipc.AimGuessed, "stopped": ipc.AimStopped,
		"failed": ipc.AimLost, "closed": ipc.AimClosed,
	}[word]
}

// classes are those that the policy lets be counted.
func (s *AimSession) classes() (names []string) {
	for c := range counting.Class(counting.Classes) {
		if s.Verdict.Policy.Allows(c) {
			names = append(names, c.String())
		}
	}
	return names
}

// tellCode tells whoever stands at the device where the page is, and the code.
func (s *AimSession) tellCode(code, id string) {
	var urls []string
	for _, l := range s.Listeners {
		urls = append(urls, "http://"+l.Addr().String()+"/")
	}
	if s.Json {
		_ = json.NewEncoder(s.Out).Encode(map[string]any{"code": code, "id": id, "urls": urls, "left_s": int((s.Until - clock.Mono()).Seconds())})
		return
	}
	fmt.Fprintf(s.Out, "page  %s\ncode  %s %s   (good once; the account calls it %s)\nleft  %s\n",
		strings.Join(urls, "\n      "), code[:3], code[3:], id, (s.Until - clock.Mono()).Round(time.Second))
}

func (s *AimSession) tellEnd(why string) {
	if s.Json {
		_ = json.NewEncoder(s.Out).Encode(map[string]any{"ended": why})
		return
	}
	words := map[string]string{
		"ended": "ended on the page", "expired": "the time is up", "locked": "too many wrong codes: start kerb aim again",
		"stopped": "stopped", "closed": "the policy's hours are over",
	}
	fmt.Fprintf(s.Out, "end   %s; %s\n", words[why], s.keeper.next())
}

// note enters into the account what was done with which code.
func (s *AimSession) Note(id, what string) {
	m := &ipc.Aim{Act: map[string]uint8{
		"entered": ipc.AimEntered, "locked": ipc.AimLocked, "changed": ipc.AimChanged,
		"undone": ipc.AimUndone, "accepted": ipc.AimAccepted,
	}[what]}
	if n, err := strconv.ParseUint(id, 16, 32); err == nil {
		m.Code = uint32(n)
	}
	if m.Act == ipc.AimChanged || m.Act == ipc.AimUndone {
		m.Sum = s.redraw.sum()
	}
	s.keeper.Note(m)
}

// joined is several listeners as one.
func joined(ls []net.Listener) net.Listener {
	if len(ls) == 1 {
		return ls[0]
	}
	j := &manyListeners{all: ls, came: make(chan accepted), done: make(chan struct{})}
	for _, l := range ls {
		go j.accept(l)
	}
	return j
}

type manyListeners struct {
	all  []net.Listener
	came chan accepted
	done chan struct{}
}

type accepted struct {
	conn net.Conn
	err  error
}

func (j *manyListeners) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		select {
		case j.came <- accepted{c, err}:
		case <-j.done:
			if c != nil {
				c.Close()
			}
			return
		}
		if err != nil {
			return
		}
	}
}

func (j *manyListeners) Accept() (net.Conn, error) {
	select {
	case a := <-j.came:
		return a.conn, a.err
	case <-j.done:
		return nil, net.ErrClosed
	}
}

func (j *manyListeners) Close() error {
	select {
	case <-j.done:
		return nil
	default:
		close(j.done)
	}
	CloseAll(j.all)
	return nil
}

func (j *manyListeners) Addr() net.Addr { return j.all[0].Addr() }
