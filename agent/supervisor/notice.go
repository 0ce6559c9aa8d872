package supervisor

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"kerb/agent/config"
	"kerb/agent/status"
	"kerb/counting"
)

// notices are the conditions of the device that were logged. It is used by the
// goroutine of endWindows alone.
type notices struct {
	unsynced bool // the clock is not believed
	diskFull bool
	complete bool // nothing is waited for any more
}

// logStart logs the faults that last until they are mended: files with secrets that
// every user may read.
func (s *Supervisor) logStart() {
	for _, path := range s.site.ExposedSecrets() {
		s.log.Warn("every user of this machine may read a secret: chmod 0640 "+path, "file", path)
	}
}

// logChanges logs, once each, that the clock is not believed, that the disk is full,
// that either has ended, and that everything delivers. It is called about once a
// second.
func (s *Supervisor) logChanges() {
	n := &s.notices
	if r := s.clock.ReadAll(); r.Synced == n.unsynced {
		if n.unsynced = !r.Synced; n.unsynced {
			s.log.Warn("the clock is not believed: no time server has set it, and it shows less than clock_floor or there is none; windows say synced:false",
				"do", "let port 123 through, or set clock_floor in site.toml and the clock by hand")
		} else {
			s.log.Info("the clock is believed", "by", r.Source)
		}
	}
	if d := status.ReadDisk(s.site.Device.State); d != nil && d.Full() != n.diskFull {
		if n.diskFull = d.Full(); n.diskFull {
			s.log.Warn("the disk is full", "state", d.State, "free_mb", d.Free>>20, "do", "make room, or replace the card")
		} else {
			s.log.Info("the disk has room again", "state", s.site.Device.State)
		}
	}
	if waiting := s.listWaiting(); !n.complete && len(waiting) == 0 {
		n.complete = true
		s.log.Info("everything delivers", "window", s.policy.Window())
	}
}

// listWaiting names what does not deliver yet, or no more: cameras and loops that
// should, and the broker.
func (s *Supervisor) listWaiting() (names []string) {
	r := s.clock.ReadAll()
	s.mu.Lock()
	for _, p := range s.slots {
		if !p.aimed && !p.isDelivering() && s.policy.ClosedReason(p.hours, r.Wall, r.Synced) == counting.NoReason {
			names = append(names, s.describeSlot(p))
		}
	}
	s.mu.Unlock()
	if !s.isOnline() {
		names = append(names, "broker")
	}
	return names
}

// describeSlot names a sensor for people.
func (s *Supervisor) describeSlot(p *slot) string {
	if p.number < len(s.site.Cameras) {
		return "camera " + s.site.Cameras[p.number].Name
	}
	return "loops"
}

// logReady logs once that all processes run. It returns then, or when ctx ends.
func (s *Supervisor) logReady(ctx context.Context) {
	select {
	case <-s.ready:
		s.log.Info(startMessage(s.listWaiting()), "next", fmt.Sprintf("kerb status%s; %s", s.Files.CommandFlags(), subscribeLine(s.site)))
	case <-ctx.Done():
	}
}

// subscribeLine returns a command that shows the device's messages, with the broker's host
// and port and the files of site.toml: what is secret in them stays there.
func subscribeLine(site *config.Site) string {
	d, b := site.Device, site.Broker
	topic := fmt.Sprintf("-v -t 'kerb/v1/%s/%s/%s/#'", d.Tenant, d.Site, d.Name)
	u, err := url.Parse(b.URL)
	if err != nil || u.Scheme != "mqtt" && u.Scheme != "mqtts" {
		return "subscribe to " + topic[len("-v -t "):] // mosquitto_sub speaks no WebSocket
	}
	line := "mosquitto_sub -h " + u.Hostname()
	if u.Port() != "" {
		line += " -p " + u.Port()
	} else if u.Scheme == "mqtts" {
		line += " -p 8883"
	}
	switch {
	case u.Scheme == "mqtts" && b.CAFile != "":
		line += " --cafile " + b.CAFile
	case u.Scheme == "mqtts":
		line += " --capath /etc/ssl/certs"
	}
	if b.User != "" {
		line += " -u USER -P PASSWORD" // the broker may let another user read
	}
	return line + " " + topic
}

// startMessage is the log message of a start: all processes run, and what does not
// deliver yet.
func startMessage(waiting []string) string {
	if len(waiting) == 0 {
		return "all processes run"
	}
	return "all processes run; waiting for " + strings.Join(waiting, ", ")
}
