package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"kerb/agent/aim"
	"kerb/agent/cage"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/parcel"
	"kerb/agent/policy"
	"kerb/counting"
)

// aimCmd is the commissioning page. This process has a network and never sees a
// picture: another one, within the walls of sense, sends it sketches.
type aimCmd struct {
	Camera string `arg:"" optional:"" help:"Its name in site.toml; may be left out where there is one."`
	files
	For    time.Duration `help:"For how long; the policy has the last word." default:"10m"`
	Listen string        `help:"Address and port of the page; left out: every address of a local network." placeholder:"ADDR"`
	JSON   bool          `help:"Addresses and codes as JSON objects, one a line."`
}

// Help says what the one-line help cannot.
func (a *aimCmd) Help() string {
	return `Serves one page to a telephone or laptop on the device's own network, for as long as the policy allows, to whoever types the code that is printed here. The page shows silhouettes, never a picture, and draws lines and zones, counts live, compares with a tally by hand and writes site.toml. Meanwhile the camera does not count; a running kerb run leaves it alone and takes it back at the end.

On a device without a network of its own, join it by cable or bring up an access point first, or reach it by ssh -L 8080:127.0.0.1:8080 with -listen 127.0.0.1:8080.`
}

// aimLength is how long a session lasts where the policy shows nothing of the
// picture and so gives no length.
const aimLength = 10 * time.Minute

// aimTerms is whether silhouettes may be shown, and for how long at most
// somebody may aim.
func aimTerms(p *policy.Policy) (sketches bool, longest time.Duration) {
	show, longest := p.Aiming()
	if show != policy.ShowSilhouettes {
		return false, aimLength
	}
	return true, longest
}

func (a *aimCmd) Run(ctx context.Context, t terminal) error {
	site, v, err := a.load()
	if err != nil {
		return err
	}
	camera, err := a.choose(site)
	if err != nil {
		return err
	}
	if c := site.Cameras[camera]; c.Still() {
		return fmt.Errorf("camera %s shows one picture at a time, and outlines are drawn of what moves: write the corners of its zones into %s, as fractions of the picture", c.Name, a.Site)
	}
	sketches, longest := aimTerms(v.policy)
	if a.For <= 0 || a.For > longest {
		return usageError(fmt.Sprintf("-for %s: the policy lets somebody aim for at most %s", a.For, longest))
	}
	hours := newShifts(v.policy, nil, clock.Clock{Floor: site.Device.ClockFloor}.Read)
	if why := hours.closed(); why != "" {
		return fmt.Errorf("the policy lets nothing look through this camera now (%s): aim within its hours", why)
	}
	listeners, err := a.listen()
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	log.SetOutput(io.Discard) // hybridgroup/mjpeg tells it who looks
	words := slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s := &aimSession{
		files: a.files, site: site, verdict: v, camera: camera, until: clock.Mono() + a.For, out: t.out, json: a.JSON,
		sketches: sketches, listeners: listeners, log: words, words: t.err, hours: hours,
	}
	return s.run(ctx, a.For)
}

// choose is the place of the camera in the file.
func (a *aimCmd) choose(site *config.Site) (int, error) {
	var names []string
	for i, c := range site.Cameras {
		if c.Name == a.Camera {
			return i, nil
		}
		names = append(names, c.Name)
	}
	switch {
	case len(names) == 0:
		return 0, usageError(a.Site + ": there is no [[camera]] to aim\nhint: kerb probe lists the cameras this device has; loops are looked at with kerb loops")
	case a.Camera == "" && len(names) == 1:
		return 0, nil
	case a.Camera == "":
		return 0, usageError("which camera? kerb aim " + strings.Join(names, ", or kerb aim "))
	}
	return 0, usageError(fmt.Sprintf("no camera is called %s: there is %s", a.Camera, strings.Join(names, ", ")))
}

// aimPort is tried first, so that an engineer can learn it.
const aimPort = 8080

// listen opens the page's addresses: what was asked for, or every address of a
// local network. One that can be reached from afar must be asked for.
func (a *aimCmd) listen() (ls []net.Listener, err error) {
	if a.Listen != "" {
		l, err := net.Listen("tcp", a.Listen)
		if err != nil {
			return nil, usageError(fmt.Sprintf("-listen %s: %v", a.Listen, err))
		}
		return []net.Listener{l}, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		n, ok := addr.(*net.IPNet)
		if !ok || n.IP.IsLoopback() || !(n.IP.IsPrivate() || n.IP.IsLinkLocalUnicast() && n.IP.To4() != nil) {
			continue
		}
		for _, port := range []int{aimPort, 0} {
			if l, err := net.Listen("tcp", net.JoinHostPort(n.IP.String(), strconv.Itoa(port))); err == nil {
				ls = append(ls, l)
				break
			}
		}
	}
	if len(ls) == 0 {
		return nil, errors.New("this device has no local network that a telephone could join\n" +
			"hint: plug in a cable, bring up an access point, or give -listen 127.0.0.1:8080 and come by ssh -L 8080:127.0.0.1:8080")
	}
	return ls, nil
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		l.Close()
	}
}

// aimSession is one session of aiming.
type aimSession struct {
	files
	site      *config.Site
	verdict   verdict
	camera    int
	until     time.Duration // monotonic
	sketches  bool
	listeners []net.Listener
	hours     shifts

	out   io.Writer
	json  bool
	log   *slog.Logger
	words io.Writer

	keeper keeper
	redraw redrawer
	server *aim.Server
}

func (s *aimSession) run(ctx context.Context, length time.Duration) error {
	agreed, err := s.agree(s.verdict)
	if err != nil {
		return err
	}
	cam := s.site.Cameras[s.camera]
	if s.keeper, err = openKeeper(ctx, s.site, s.verdict, uint16(s.camera), agreed, length, s.log); err != nil {
		return err
	}
	why := uint8(parcel.AimLost)
	defer func() { s.keeper.end(why) }()
	report, err := cage.Supervisor().Apply()
	if err != nil {
		return err
	}
	if err := report.Strict(); err != nil && s.site.Device.Strict {
		return err
	}
	s.redraw = redrawer{path: s.Site, camera: s.camera, policy: s.verdict.policy}
	s.server = aim.New(aim.Opts{
		Device: s.site.Device.Name, Camera: cam.Name, Classes: s.classes(), Sketches: s.sketches, Plan: plan(cam.Drawing()),
		Now: clock.Mono, Until: s.until, Code: s.tellCode, Note: s.note,
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
	ended, err := s.server.Serve(ctx, joined(s.listeners))
	stop()
	<-seeing
	why = whyEnd(ended)
	s.tellEnd(ended)
	return err
}

// watchHours ends the session with the policy's hours.
func (s *aimSession) watchHours(ctx context.Context) {
	for ctx.Err() == nil {
		if s.hours.closed() != "" {
			s.server.End("closed")
			return
		}
		s.hours.pause(ctx)
	}
}

func whyEnd(word string) uint8 {
	return map[string]uint8{
		"ended": parcel.AimDone, "expired": parcel.AimExpired, "locked": parcel.AimGuessed, "stopped": parcel.AimStopped,
		"failed": parcel.AimLost, "closed": parcel.AimClosed,
	}[word]
}

// classes are those that the policy lets be counted.
func (s *aimSession) classes() (names []string) {
	for c := range counting.Class(counting.Classes) {
		if s.verdict.policy.Allows(c) {
			names = append(names, c.String())
		}
	}
	return names
}

// tellCode tells whoever stands at the device where the page is, and the code.
func (s *aimSession) tellCode(code, id string) {
	var urls []string
	for _, l := range s.listeners {
		urls = append(urls, "http://"+l.Addr().String()+"/")
	}
	if s.json {
		_ = json.NewEncoder(s.out).Encode(map[string]any{"code": code, "id": id, "urls": urls, "left_s": int((s.until - clock.Mono()).Seconds())})
		return
	}
	fmt.Fprintf(s.out, "page  %s\ncode  %s %s   (good once; the account calls it %s)\nleft  %s\n",
		strings.Join(urls, "\n      "), code[:3], code[3:], id, (s.until - clock.Mono()).Round(time.Second))
}

func (s *aimSession) tellEnd(why string) {
	if s.json {
		_ = json.NewEncoder(s.out).Encode(map[string]any{"ended": why})
		return
	}
	words := map[string]string{
		"ended": "ended on the page", "expired": "the time is up", "locked": "too many wrong codes: start kerb aim again",
		"stopped": "stopped", "closed": "the policy's hours are over",
	}
	fmt.Fprintf(s.out, "end   %s; %s\n", words[why], s.keeper.next())
}

// note enters into the account what was done with which code.
func (s *aimSession) note(id, what string) {
	m := &parcel.Aim{Act: map[string]uint8{
		"entered": parcel.AimEntered, "locked": parcel.AimLocked, "changed": parcel.AimChanged,
		"undone": parcel.AimUndone, "accepted": parcel.AimAccepted,
	}[what]}
	if n, err := strconv.ParseUint(id, 16, 32); err == nil {
		m.Code = uint32(n)
	}
	if m.Act == parcel.AimChanged || m.Act == parcel.AimUndone {
		m.Sum = s.redraw.sum()
	}
	s.keeper.note(m)
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
	closeAll(j.all)
	return nil
}

func (j *manyListeners) Addr() net.Addr { return j.all[0].Addr() }
