package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	codeFile     = "/run/kerb-code"
	wordFile     = "/run/kerb-passphrase"
	networkWait  = 30 * time.Minute // for a network that a telephone can join
	dhcpWait     = 30 * time.Second // for a DHCP server, before a link-local address is taken
	networkSleep = time.Second
)

// openedBy is what opened a session, as kerb aim takes it for the audit log.
type openedBy string

const (
	byCard   openedBy = "card"
	byButton openedBy = "button"
	byPower  openedBy = "power"
)

// openSet lets kerb's user write site.toml of a set, and no other file of it: in a folder
// with the sticky bit a file is replaced by its owner alone.
func openSet(set string) error {
	return errors.Join(os.Chown(filepath.Join(set, "site.toml"), kerbID, kerbID), os.Chmod(set, 0o770|os.ModeSticky))
}

// closeSet takes that back, and removes what a session left beside site.toml.
func closeSet(set string) error {
	err := errors.Join(os.Chmod(set, 0o750), os.Chown(filepath.Join(set, "site.toml"), 0, kerbID))
	left, _ := filepath.Glob(filepath.Join(set, "site.toml.*")) // the pattern is right
	for _, path := range left {
		if name := filepath.Base(path); name != "site.toml.example" {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

// openRequested opens the session that the card asks for, or else that of three short
// starts (cycled).
func (d *device) openRequested(ctx context.Context, set string, cycled bool) {
	a, ok, err := d.takeRequest()
	switch {
	case err != nil:
		d.setAiming(append([]string{"no session:"}, strings.Split(err.Error(), "\n")...)...)
	case ok:
		d.runSession(ctx, set, a, byCard)
	case cycled && (d.settings.Aim.PowerCycle == nil || *d.settings.Aim.PowerCycle):
		d.runSession(ctx, set, d.settings.Aim, byPower)
	}
}

// buttonRetry is the delay after an error of the button, such as a line that does not exist.
const buttonRetry = time.Minute

// watchButton opens a session each time the button was held for three seconds, until the
// context ends.
func (d *device) watchButton(ctx context.Context, set string) {
	select {
	case <-d.agent.ready: // the line's device file belongs to kerb's user then
	case <-ctx.Done():
	}
	said := ""
	for ctx.Err() == nil {
		c := exec.CommandContext(ctx, kerbBin, "button", d.settings.Aim.Button)
		c.SysProcAttr = kerbCommand(set, "button").SysProcAttr
		out, err := c.CombinedOutput()
		if err == nil {
			d.runSession(ctx, set, d.settings.Aim, byButton)
			continue
		}
		if text := cmp.Or(strings.TrimSpace(string(out)), err.Error()); text != said && ctx.Err() == nil {
			said = text
			d.setAiming("no button: " + text)
		}
		select {
		case <-time.After(buttonRetry):
		case <-ctx.Done():
		}
	}
}

// runSession opens one session of aiming over the set in force, when kerb is ready and
// there is a network, and waits for its end. While one is open a second one is refused.
func (d *device) runSession(ctx context.Context, set string, a aimSettings, by openedBy) {
	if !d.aiming.TryLock() {
		d.log.Printf("AIMING: a session is open already (%s)", by)
		return
	}
	defer d.aiming.Unlock()
	d.log.Printf("AIMING: asked for by %s", by)
	select {
	case <-d.agent.ready:
	case <-ctx.Done():
		return
	}
	if err := d.waitForNetwork(ctx, set, a.AccessPoint); err != nil {
		d.setAiming("no session: " + err.Error())
		return
	}
	before, err := os.ReadFile(filepath.Join(set, "site.toml"))
	if err == nil {
		err = openSet(set)
	}
	if err != nil {
		d.setAiming("no session: " + err.Error())
		return
	}
	d.lamp.session.Store(true)
	ended := d.aim(ctx, set, a, by)
	d.lamp.session.Store(false)
	if err := closeSet(set); err != nil {
		d.log.Print(err)
	}
	after, err := os.ReadFile(filepath.Join(set, "site.toml"))
	if err != nil || bytes.Equal(before, after) {
		d.setAiming(ended, "site.toml is as before")
		return
	}
	d.copySiteToCard(set)
	d.setAiming(ended, "site.toml has the new lines")
}

// waitForNetwork waits until the device has an address at which kerb aim serves its page.
// Where kerb aim may open an access point, it waits no longer than for a DHCP server, and
// not at all for a session that always has one.
func (d *device) waitForNetwork(ctx context.Context, set string, always bool) error {
	own := mayOpenAccessPoint(radioDir, set)
	if own && always {
		return nil
	}
	told := ""
	for began := time.Now(); time.Since(began) < networkWait && ctx.Err() == nil; time.Sleep(networkSleep) {
		if hasLocalAddress() {
			return nil
		}
		text := "waits for a network"
		if time.Since(began) > dhcpWait {
			if err := addLinkLocal(); err != nil {
				text = "no link-local address: " + err.Error()
			}
			if own {
				return nil
			}
		}
		if text != told {
			told = text
			d.log.Printf("AIMING: %s", text)
		}
	}
	return fmt.Errorf("no network within %v: connect a cable, write wifi.toml, or write [access_point] country into site.toml", networkWait)
}

// hasLocalAddress reports whether an interface has a private or IPv4 link-local address.
func hasLocalAddress() bool {
	addrs, _ := net.InterfaceAddrs() // none: no address
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && (n.IP.IsPrivate() || n.IP.To4() != nil && n.IP.IsLinkLocalUnicast()) {
			return true
		}
	}
	return false
}

// aimArguments are the words of kerb aim after the two files.
func aimArguments(a aimSettings, by openedBy) []string {
	words := []string{"-json", "-by", string(by), "-for", fmt.Sprintf("%dm", a.Minutes), "-access-point", "fd:3"}
	if a.AccessPoint {
		words = append(words, "-access-point-always")
	}
	if a.Passphrase != "" {
		words = append(words, "-passphrase-file", wordFile)
	}
	if a.Code != "" {
		words = append(words, "-code-file", codeFile)
	}
	if a.Camera != "" {
		words = append(words, "--", a.Camera)
	}
	return words
}

// aim runs kerb aim and returns how it ended, in words.
func (d *device) aim(ctx context.Context, set string, a aimSettings, by openedBy) string {
	for path, text := range map[string]string{codeFile: a.Code, wordFile: a.Passphrase} {
		if text == "" {
			continue
		}
		err := shareWithGroup(os.WriteFile(path, []byte(text), 0o600), path, 0o640, kerbID)
		defer os.Remove(path)
		if err != nil {
			return "no session: " + err.Error()
		}
	}
	request, wait, err := d.startAccessPoint()
	if err != nil {
		return "no session: " + err.Error()
	}
	defer wait()
	c := kerbCommand(set, "aim", aimArguments(a, by)...)
	c.ExtraFiles = []*os.File{request} // fd:3
	var wrong bytes.Buffer
	c.Stderr = io.MultiWriter(d.console, &wrong)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return "no session: " + err.Error()
	}
	defer context.AfterFunc(ctx, func() { _ = c.Process.Signal(os.Interrupt) })()
	ended := ""
	answering, stop := context.WithCancel(ctx)
	defer stop()
	// The name is answered on the interfaces that are there when the page is told: on that
	// of an access point too.
	answer := sync.OnceFunc(func() {
		if err := answerName(answering, deviceName(set)); err != nil {
			d.log.Printf("AIMING: %v", err)
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if word := d.tellLine(lines.Bytes(), deviceName(set)); word != "" {
			ended = word
		}
		answer()
	}
	err = c.Wait()
	if ended != "" {
		return "the session is over: " + ended
	}
	return "no session: " + cmp.Or(strings.TrimSpace(wrong.String()), fmt.Sprint(err))
}

// An aimLine is a line of kerb aim -json.
type aimLine struct {
	Code  string   `json:"code"`
	URLs  []string `json:"urls"`
	Left  int      `json:"left_s"`
	QR    string   `json:"qr"`
	Ended string   `json:"ended"`
	// SSID and Passphrase are those of the session's access point; "": there is none.
	SSID       string `json:"ssid"`
	Passphrase string `json:"passphrase"`
}

// tellLine tells the address and the code on the screen, with the QR code, and in the
// report on the card. It returns the word with which the session ended, "" before.
func (d *device) tellLine(line []byte, name string) string {
	var l aimLine
	if err := json.Unmarshal(line, &l); err != nil {
		d.log.Printf("AIMING: %s", line)
		return ""
	}
	if l.Ended != "" {
		return l.Ended
	}
	d.setAiming(l.words(name)...)
	fmt.Fprintf(d.console, "\n%s\n", l.QR)
	return ""
}

// words are the lines for a person at the device.
func (l aimLine) words(name string) []string {
	pages := l.URLs
	if u, err := url.Parse(l.URLs[0]); err == nil && name != "" {
		u.Host = net.JoinHostPort(name+".local", u.Port())
		pages = append([]string{u.String()}, pages...)
	}
	code := l.Code
	if len(code) == 6 {
		code = code[:3] + " " + code[3:]
	}
	var wifi []string
	if l.SSID != "" {
		wifi = []string{"Wi-Fi " + l.SSID + ", passphrase " + l.Passphrase + " (the left QR code)"}
	}
	return append(wifi,
		"page "+strings.Join(pages, " or "),
		"code "+code+", good once",
		fmt.Sprintf("open for %v", (time.Duration(l.Left)*time.Second).Round(time.Minute)),
	)
}
