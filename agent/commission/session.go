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

func CloseListeners(ls []net.Listener) {
	for _, l := range ls {
		l.Close()
	}
}

// aimSession is one session of aiming.
type Session struct {
	admission.Files
	Config    *config.Site
	Decision  admission.Decision
	Camera    int
	Until     time.Duration // monotonic
	Sketches  bool
	Listeners []net.Listener
	Closed    func() counting.Reason // why no camera may be used now; "" where it may

	Out         io.Writer
	JSON        bool
	Log         *slog.Logger
	ChildOutput io.Writer

	log    sessionLog
	redraw siteEditor
	server *aim.Server
}

func (s *Session) Run(ctx context.Context, length time.Duration) error {
	agreed, err := s.ReadFingerprint(s.Decision)
	if err != nil {
		return err
	}
	cam := s.Config.Cameras[s.Camera]
	if s.log, err = openSessionLog(ctx, s.Config, s.Decision, uint16(s.Camera), agreed, length, s.Log); err != nil {
		return err
	}
	why := uint8(ipc.AimLost)
	defer func() { s.log.end(why) }()
	report, err := cage.Supervisor().Apply()
	if err != nil {
		return err
	}
	if err := report.Strict(); err != nil && s.Config.Device.Strict {
		return err
	}
	s.redraw = siteEditor{path: s.Site, camera: s.Camera, policy: s.Decision.Policy}
	s.server = aim.New(aim.Opts{
		Device: s.Config.Device.Name, Camera: cam.Name, Classes: s.classNames(), Sketches: s.Sketches, Plan: plan(cam.Drawing()),
		Now: clock.SinceBoot, Until: s.Until, AnnounceCode: s.printCode, LogAction: s.noteAct,
		CheckPlan: s.redraw.checkPlan, SavePlan: s.redraw.savePlan, UndoPlan: s.redraw.undoSave, StoreResult: s.keepAcceptance,
	})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	seeing := make(chan struct{})
	go func() {
		defer close(seeing)
		s.runSketchProcess(ctx, cam)
	}()
	go s.watchHours(ctx)
	go func() {
		select {
		case <-s.log.agentGone():
			s.server.EndSession("stopped")
		case <-ctx.Done():
		}
	}()
	ended, err := s.server.Serve(ctx, joinListeners(s.Listeners))
	stop()
	<-seeing
	why = endCode(ended)
	s.printEnd(ended)
	return err
}

// watchHours ends the session with the policy's hours.
func (s *Session) watchHours(ctx context.Context) {
	for ctx.Err() == nil {
		if s.Closed() != counting.NoReason {
			s.server.EndSession("closed")
			return
		}
		select {
		case <-time.After(policy.HoursMargin):
		case <-ctx.Done():
		}
	}
}

func endCode(word string) uint8 {
	return map[string]uint8{
		"ended": ipc.AimDone, "expired": ipc.AimExpired, "locked": ipc.AimGuessed, "stopped": ipc.AimStopped,
		"failed": ipc.AimLost, "closed": ipc.AimClosed,
	}[word]
}

// classNames are those that the policy lets be counted.
func (s *Session) classNames() (names []string) {
	for c := range counting.Class(counting.Classes) {
		if s.Decision.Policy.AllowsClass(c) {
			names = append(names, c.String())
		}
	}
	return names
}

// printCode tells whoever stands at the device where the page is, and the code.
func (s *Session) printCode(code, id string) {
	var urls []string
	for _, l := range s.Listeners {
		urls = append(urls, "http://"+l.Addr().String()+"/")
	}
	if s.JSON {
		_ = json.NewEncoder(s.Out).Encode(map[string]any{"code": code, "id": id, "urls": urls, "left_s": int((s.Until - clock.SinceBoot()).Seconds())})
		return
	}
	fmt.Fprintf(s.Out, "page  %s\ncode  %s %s   (good once; the account calls it %s)\nleft  %s\n",
		strings.Join(urls, "\n      "), code[:3], code[3:], id, (s.Until - clock.SinceBoot()).Round(time.Second))
}

func (s *Session) printEnd(why string) {
	if s.JSON {
		_ = json.NewEncoder(s.Out).Encode(map[string]any{"ended": why})
		return
	}
	words := map[string]string{
		"ended": "ended on the page", "expired": "the time is up", "locked": "too many wrong codes: start kerb aim again",
		"stopped": "stopped", "closed": "the policy's hours are over",
	}
	fmt.Fprintf(s.Out, "end   %s; %s\n", words[why], s.log.nextWords())
}

// note enters into the account what was done with which code.
func (s *Session) noteAct(id, what string) {
	m := &ipc.Aim{Act: map[string]uint8{
		"entered": ipc.AimEntered, "locked": ipc.AimLocked, "changed": ipc.AimChanged,
		"undone": ipc.AimUndone, "accepted": ipc.AimAccepted,
	}[what]}
	if n, err := strconv.ParseUint(id, 16, 32); err == nil {
		m.Code = uint32(n)
	}
	if m.Act == ipc.AimChanged || m.Act == ipc.AimUndone {
		m.Sum = s.redraw.fileHash()
	}
	s.log.writeAct(m)
}

// joinListeners is several listeners as one.
func joinListeners(ls []net.Listener) net.Listener {
	if len(ls) == 1 {
		return ls[0]
	}
	j := &joinedListeners{all: ls, came: make(chan accepted), done: make(chan struct{})}
	for _, l := range ls {
		go j.acceptFrom(l)
	}
	return j
}

type joinedListeners struct {
	all  []net.Listener
	came chan accepted
	done chan struct{}
}

type accepted struct {
	conn net.Conn
	err  error
}

func (j *joinedListeners) acceptFrom(l net.Listener) {
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

func (j *joinedListeners) Accept() (net.Conn, error) {
	select {
	case a := <-j.came:
		return a.conn, a.err
	case <-j.done:
		return nil, net.ErrClosed
	}
}

func (j *joinedListeners) Close() error {
	select {
	case <-j.done:
		return nil
	default:
		close(j.done)
	}
	CloseListeners(j.all)
	return nil
}

func (j *joinedListeners) Addr() net.Addr { return j.all[0].Addr() }
