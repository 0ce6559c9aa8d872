// Package commission runs one aiming session: it serves the commissioning page
// of package aim, runs the sketching process of one camera, and writes what the
// engineer draws into site.toml.
//
// Every act is recorded: by a running agent, which releases the camera for the
// session, or, where no agent runs, in the audit log and the spool. The file
// before the latest change stays beside site.toml, and each change of the session
// can be undone.
//
// It refuses a session whose start cannot be recorded, and a plan that kerb check
// would refuse; it ends the session with the hours of the policy. It never has a
// picture: the sketching process reads the camera, within the walls of a sensing
// process, and sends record.Report values.
package commission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kerb/agent/admission"
	"kerb/agent/aim"
	"kerb/agent/cage"
	"kerb/agent/clock"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/qrcode"
	"kerb/agent/terminal"
	"kerb/counting"
)

// Session is one aiming session. All exported fields but JSON, Sketches, Status,
// FirstCode, OpenedBy and HostName must be set. Run is called once.
type Session struct {
	admission.Files // site.toml is the file that is edited
	Config          *config.Site
	Decision        admission.Decision
	Camera          int                    // place of the camera in Config
	Until           time.Duration          // end, on the monotonic clock since boot
	Latest          time.Duration          // end of the longest session that the policy allows
	Sketches        bool                   // the policy allows silhouettes on the page
	Listeners       []net.Listener         // of the page; at least one
	ClosedReason    func() counting.Reason // why the policy closes the camera now; NoReason: it is open

	Out         io.Writer // for addresses, login codes and the end
	JSON        bool      // Out gets JSON objects, one a line, instead of text
	Log         *slog.Logger
	ChildOutput io.Writer // for the log of the sketching process

	Status    http.Handler // of the status page; nil: there is none
	FirstCode string       // the first login code; "": one is drawn
	OpenedBy  uint8        // for the audit log, of ipc.ParseAimWay
	HostName  string       // of this machine; "": unknown
	WiFi      WiFi         // access point of this session; zero: there is none

	begin  time.Duration // on the clock of Until
	ends   atomic.Int64  // Until as it is extended, in nanoseconds
	acts   sessionLog
	editor siteEditor
	server *aim.Server

	refusedPage sync.Once // see LogRefusedPage
}

// WiFi is the access point of a session, as it is shown beside the login code.
type WiFi struct{ SSID, Passphrase, QRText string }

// Run serves the session until it is ended on the page, its time is up, the hours
// of the policy end, the agent is gone or ctx ends, and closes the listeners. It
// raises the walls of a supervisor first. length is the length of the session for
// the audit log; Until is what ends it. An error is a refusal of the agent, a
// log or wall that is missing, or that of a listener.
func (s *Session) Run(ctx context.Context, length time.Duration) error {
	fingerprint, err := s.ReadFingerprint(s.Decision)
	if err != nil {
		return err
	}
	cam := s.Config.Cameras[s.Camera]
	s.begin = s.Until - length
	s.ends.Store(int64(s.Until))
	if s.acts, err = openSessionLog(ctx, s.Config, s.Decision, &ipc.Aim{Sensor: uint16(s.Camera), Act: ipc.AimStart, By: s.OpenedBy, For: length}, fingerprint, s.Log); err != nil {
		return err
	}
	why := uint8(ipc.AimLost)
	defer func() { s.acts.closeLog(why) }()
	if s.WiFi.SSID != "" {
		s.acts.writeAct(&ipc.Aim{Act: ipc.AimAccessPoint})
	}
	report, err := cage.Supervisor().Apply()
	if err != nil {
		return err
	}
	if err := report.Strict(); err != nil && s.Config.Device.Strict {
		return err
	}
	s.editor = siteEditor{path: s.Site, camera: s.Camera, policy: s.Decision.Policy}
	s.server = s.newServer(cam)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sketching := make(chan struct{})
	go func() {
		defer close(sketching)
		s.runSketchProcess(ctx, cam)
	}()
	go s.watchHours(ctx)
	go s.watchAgent(ctx)
	ended, err := s.server.Serve(ctx, joinListeners(s.Listeners))
	stop()
	<-sketching
	why = endCode(ended)
	s.printEnd(ended)
	return err
}

// newServer makes the page's server for the camera. The session begins with it.
func (s *Session) newServer(cam config.Camera) *aim.Server {
	return aim.New(aim.Opts{
		Device: s.Config.Device.Name, Camera: cam.Name, Classes: s.allowedClasses(), Kinds: s.allowedKinds(), Overlap: s.Decision.Policy.Overlap(), Sketches: s.Sketches, Plan: toPlan(cam.Drawing()), KeepMasks: s.Decision.Policy.MasksRequired(),
		Now: clock.SinceBoot, Until: s.Until, Latest: s.Latest, AnnounceCode: s.printCode, LogAction: s.logAct, LogExtension: s.logExtension,
		CheckPlan: s.editor.checkPlan, SavePlan: s.editor.savePlan, UndoPlan: s.editor.undoSave, StoreResult: s.storeAcceptance,
		Status: s.Status, StatusForbidden: !s.Decision.Policy.AllowsStatusPage(), FirstCode: s.FirstCode, HostNames: s.hostNames(),
	})
}

// hostNames returns the names under which multicast DNS (RFC 6762) may lead to this
// device: its own in site.toml, and that of the machine.
func (s *Session) hostNames() []string {
	names := []string{s.Config.Device.Name + ".local"}
	if s.HostName != "" {
		names = append(names, s.HostName+".local")
	}
	return names
}

// policyLooks is how many looks at the clock come before one at the policy file: five
// seconds. Chosen by hand.
const policyLooks = 20

// watchHours ends the session when the policy closes the camera, or when the policy file
// is one that this device refuses: nothing is shown under a policy that is not there.
func (s *Session) watchHours(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		if s.ClosedReason() != counting.NoReason {
			s.server.EndSession("closed")
			return
		}
		if n%policyLooks == 0 {
			if d, err := admission.Admit(s.Policy, s.Config); err != nil || d.Refused != nil {
				s.Log.Warn("aiming ends: the policy file is refused", "err", errors.Join(err, d.Refused))
				s.server.EndSession("closed")
				return
			}
		}
		select {
		case <-time.After(policy.HoursMargin):
		case <-ctx.Done():
		}
	}
}

// watchAgent ends the session when the agent that records it is gone.
func (s *Session) watchAgent(ctx context.Context) {
	select {
	case <-s.acts.agentGone():
		s.server.EndSession("stopped")
	case <-ctx.Done():
	}
}

// endCode returns the code in an ipc.Aim for the word with which aim ended.
func endCode(word string) uint8 {
	return map[string]uint8{
		"ended": ipc.AimDone, "expired": ipc.AimExpired, "locked": ipc.AimGuessed, "stopped": ipc.AimStopped,
		"failed": ipc.AimLost, "closed": ipc.AimClosed,
	}[word]
}

// allowedClasses returns the names of the classes that the policy allows.
func (s *Session) allowedClasses() (names []string) {
	for c := range counting.Class(counting.Classes) {
		if s.Decision.Policy.AllowsClass(c) {
			names = append(names, c.String())
		}
	}
	return names
}

// allowedKinds returns the kinds of stream that the policy allows to draw: line, zone, or both.
func (s *Session) allowedKinds() (names []string) {
	for _, k := range []counting.Kind{counting.LineStream, counting.ZoneStream} {
		if s.Decision.Policy.AllowsKind(k) {
			names = append(names, map[counting.Kind]string{counting.LineStream: "line", counting.ZoneStream: "zone"}[k])
		}
	}
	return names
}

// printCode prints the addresses of the page, a new login code, the id that
// stands for it in the audit log, the time that is left, and on a terminal or as JSON
// the QR code of the first address with the login code.
func (s *Session) printCode(code, id string) {
	var urls []string
	for _, l := range s.Listeners {
		urls = append(urls, "http://"+l.Addr().String()+"/")
	}
	left := time.Duration(s.ends.Load()) - clock.SinceBoot()
	// One that is too long is not printed: the address stands beside it.
	qr, _ := qrcode.DrawBlocks(urls[0] + "?code=" + code)
	if s.WiFi.SSID != "" {
		join, _ := qrcode.DrawBlocks(s.WiFi.QRText)
		qr = qrcode.JoinBlocks(join, qr)
	}
	if s.JSON {
		_ = json.NewEncoder(s.Out).Encode(map[string]any{
			"code": code, "id": id, "urls": urls, "left_s": int(left.Seconds()), "qr": qr, "ssid": s.WiFi.SSID, "passphrase": s.WiFi.Passphrase,
		})
		return
	}
	if s.WiFi.SSID != "" {
		fmt.Fprintf(s.Out, "wifi  %s\nword  %s   (the Wi-Fi's passphrase, for this session; its QR code is the left one)\n", s.WiFi.SSID, s.WiFi.Passphrase)
	}
	fmt.Fprintf(s.Out, "page  %s\ncode  %s %s   (good once; the account calls it %s)\nleft  %s\n",
		strings.Join(urls, "\n      "), code[:3], code[3:], id, left.Round(time.Second))
	if terminal.IsTerminal(s.Out) {
		fmt.Fprint(s.Out, qr)
	}
}

// printEnd prints why the session ended and what happens to the camera next.
func (s *Session) printEnd(why string) {
	if s.JSON {
		_ = json.NewEncoder(s.Out).Encode(map[string]any{"ended": why})
		return
	}
	words := map[string]string{
		"ended": "ended on the page", "expired": "the time is up", "locked": "too many wrong codes: start kerb aim again",
		"stopped": "stopped", "closed": "the policy lets nothing look through the camera now",
	}
	fmt.Fprintf(s.Out, "end   %s; %s\n", words[why], s.acts.describeNext())
}

// logAct records an action of the page: entered, locked, changed, undone or
// accepted. id is that of the login code, "" for none. A change gets the SHA-256
// of the new site.toml.
func (s *Session) logAct(id, action string) {
	m := &ipc.Aim{Act: map[string]uint8{
		"entered": ipc.AimEntered, "locked": ipc.AimLocked, "changed": ipc.AimChanged,
		"undone": ipc.AimUndone, "accepted": ipc.AimAccepted,
	}[action]}
	if n, err := strconv.ParseUint(id, 16, 32); err == nil {
		m.Code = uint32(n)
	}
	if m.Act == ipc.AimChanged || m.Act == ipc.AimUndone {
		m.Sum = s.editor.fileHash()
	}
	s.acts.writeAct(m)
}

// LogRefusedPage adds a page_refused entry to the audit log, once for each session: the
// status page was asked for, and the policy forbids it.
func (s *Session) LogRefusedPage() {
	s.refusedPage.Do(func() { s.acts.writeAct(&ipc.Aim{Act: ipc.AimPageRefused}) })
}

// logExtension records that the session lasts until a later time.
func (s *Session) logExtension(id string, until time.Duration) {
	s.ends.Store(int64(until))
	m := &ipc.Aim{Act: ipc.AimExtended, For: until - s.begin}
	if n, err := strconv.ParseUint(id, 16, 32); err == nil {
		m.Code = uint32(n)
	}
	s.acts.writeAct(m)
}
