package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"kerb/agent/accesspoint"
	"kerb/agent/admission"
	"kerb/agent/aim"
	"kerb/agent/clock"
	"kerb/agent/commission"
	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/logbook"
	"kerb/agent/policy"
	"kerb/agent/report"
	"kerb/agent/status"
	"kerb/agent/terminal"
	"kerb/counting"
)

// aimCmd is kerb aim: it serves the commissioning page. This process has a network
// and never reads a picture: kerb sketch, a child within the walls of kerb sense,
// reads the camera and sends silhouettes.
type aimCmd struct {
	Camera string `arg:"" optional:"" names:"cameras" help:"Its name in site.toml; may be left out where there is one."`
	admission.Files
	For               time.Duration `help:"For how long; the page can extend it within the policy; 0s: as long as the policy allows." default:"10m"`
	Listen            string        `help:"Address and port of the page; left out: every address of a local network." placeholder:"ADDR"`
	CodeFile          string        `help:"A file with the first code, six digits; left out: it is drawn, as all later ones." placeholder:"F"`
	By                string        `hidden:"" enum:"command,card,button,power" default:"command" help:"What opened the session, for the audit log."`
	AccessPoint       string        `help:"Socket of kerb access-point (or fd:N), which opens a Wi-Fi for the session where a telephone could join no other network; kerb-aim.service gives it." placeholder:"SOCKET"`
	AccessPointAlways bool          `help:"Open that Wi-Fi also beside another network, as access_point.always in site.toml does."`
	PassphraseFile    string        `help:"A file with the Wi-Fi's passphrase, 8–63 characters; left out: it is drawn." placeholder:"F"`
	JSON              bool          `help:"Addresses, codes and their QR codes as JSON objects, one a line."`
}

// Help is the long help: the page, and how to reach it.
func (a *aimCmd) Help() string {
	return `Serves one page to a telephone or laptop on the device's own network, for as long as the policy allows, to the person who types the code printed here. The page shows silhouettes, never a picture, and draws lines and zones, counts live, compares with a tally by hand and writes site.toml. Meanwhile the camera does not count; a running kerb run leaves it alone and takes it back at the end.

Where the device has no network that a telephone could join, kerb-aim.service opens an access point for the session; site.toml must name the country (access_point.country). Otherwise join the device by cable, or reach it by ssh -L 8080:127.0.0.1:8080 with -listen 127.0.0.1:8080.`
}

// Run checks that the policy allows aiming now, opens the page's addresses and runs
// one session.
func (a *aimCmd) Run(ctx context.Context, t terminal.Terminal) error {
	site, d, err := loadFiles(&a.Files)
	if err != nil {
		return err
	}
	if d.Refused != nil {
		return commission.Refuse(site, d)
	}
	camera, err := a.chooseCamera(site)
	if err != nil {
		return err
	}
	if c := site.Cameras[camera]; c.Polled() {
		return fmt.Errorf("camera %s shows one picture at a time, and outlines are drawn of what moves: write the corners of its zones into %s, as fractions of the picture", c.Name, a.Site)
	}
	sketches, longest := d.Policy.AimTerms()
	if err := a.chooseLength(longest); err != nil {
		return err
	}
	closed := func() counting.Reason {
		r := clock.Clock{Floor: site.Device.ClockFloor}.ReadAll()
		return d.Policy.ClosedReason(nil, r.Wall, r.Synced)
	}
	if why := closed(); why != counting.NoReason {
		return fmt.Errorf("the policy lets nothing look through this camera now (%s): aim within its hours", why)
	}
	by, ok := ipc.ParseAimWay(a.By)
	if !ok {
		return terminal.UsageError("-by " + a.By + ": no such way to open a session")
	}
	code, err := a.readCode()
	if err != nil {
		return err
	}
	host, _ := os.Hostname() // only to be reached by name
	wifi, done := a.openAccessPoint(site, t.Err)
	defer done()
	listeners, err := commission.OpenListeners(a.Listen, accesspoint.Address)
	if err != nil {
		return err
	}
	defer commission.CloseListeners(listeners)
	book := logbook.New(t.Err, time.Now)
	warnings := slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelWarn}))
	now := clock.SinceBoot()
	s := &commission.Session{
		Files: a.Files, Config: site, Decision: d, Camera: camera, Until: now + a.For, Latest: now + longest, Out: t.Out, JSON: a.JSON,
		Sketches: sketches, Listeners: listeners, Log: warnings, ChildOutput: book, ClosedReason: closed, FirstCode: code, OpenedBy: by, HostName: host, WiFi: wifi,
	}
	s.Status = report.NewPage(site.Device, report.PageOpts{
		Check: func() (*policy.Policy, error) { return d.Policy, nil },
		WriteSheet: func(w io.Writer, lang string) error {
			return (&acceptanceCmd{Files: a.Files, Lang: lang}).write(w)
		},
		LogRefusal: func(context.Context, *status.Status) { s.LogRefusedPage() },
	})
	return s.Run(ctx, a.For)
}

// chooseLength sets -for to the policy's longest session, where it was not given, and
// refuses a longer one.
func (a *aimCmd) chooseLength(longest time.Duration) error {
	if a.For == 0 {
		a.For = longest
	}
	if a.For <= 0 || a.For > longest {
		return terminal.UsageError(fmt.Sprintf("-for %s: the policy lets somebody aim for at most %s", a.For, longest))
	}
	return nil
}

// openAccessPoint opens an access point for the session, where the device needs one. A
// session without one may still have another network, so the reason is a message.
func (a *aimCmd) openAccessPoint(site *config.Site, messages io.Writer) (wifi commission.WiFi, done func()) {
	done = func() {}
	p := site.AccessPoint
	if a.AccessPoint == "" || !p.Always && !a.AccessPointAlways && accesspoint.HasNetwork() {
		return wifi, done
	}
	if p.Country == "" {
		fmt.Fprintln(messages, "kerb: no access point: access_point.country is missing in site.toml, and the rules of the radio depend on the country")
		return wifi, done
	}
	r := accesspoint.Request{Name: site.Device.Name, Country: p.Country}
	if a.PassphraseFile != "" {
		text, err := os.ReadFile(a.PassphraseFile)
		if err != nil {
			fmt.Fprintln(messages, "kerb: no access point:", err)
			return wifi, done
		}
		r.Passphrase = strings.TrimRight(string(text), "\r\n")
	}
	n, closer, err := accesspoint.Open(a.AccessPoint, r)
	if err != nil {
		fmt.Fprintln(messages, "kerb:", err)
		return wifi, done
	}
	return commission.WiFi{SSID: n.SSID, Passphrase: n.Passphrase, QRText: n.QRText()}, func() { closer.Close() }
}

// readCode returns the code in CodeFile, or "" where none is given.
func (a *aimCmd) readCode() (string, error) {
	if a.CodeFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(a.CodeFile)
	if err != nil {
		return "", err
	}
	code, err := aim.ParseCode(string(text))
	if err != nil {
		return "", terminal.UsageError(a.CodeFile + ": " + err.Error())
	}
	return code, nil
}

// chooseCamera returns the index in site.Cameras of the named camera, or of the only
// one where no name is given.
func (a *aimCmd) chooseCamera(site *config.Site) (int, error) {
	var names []string
	for i, c := range site.Cameras {
		if c.Name == a.Camera {
			return i, nil
		}
		names = append(names, c.Name)
	}
	switch {
	case len(names) == 0:
		return 0, terminal.UsageError(a.Site + ": there is no [[camera]] to aim\nhint: kerb probe lists the cameras this device has; loops are looked at with kerb loops")
	case a.Camera == "" && len(names) == 1:
		return 0, nil
	case a.Camera == "":
		return 0, terminal.UsageError("which camera? kerb aim " + strings.Join(names, ", or kerb aim "))
	}
	return 0, terminal.UsageError(fmt.Sprintf("no camera is called %s: there is %s", a.Camera, strings.Join(names, ", ")))
}
