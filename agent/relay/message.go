package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"kerb/agent/policy"
	"kerb/agent/uplink"
)

// window is a message of the schema kerb.count/1, as far as the relay reads it.
type window struct {
	Schema   string    `json:"schema"`
	Tenant   string    `json:"tenant"`
	Site     string    `json:"site"`
	Device   string    `json:"device"`
	Stream   string    `json:"stream"`
	Epoch    string    `json:"epoch"`
	Seq      uint64    `json:"seq"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Part     int       `json:"part"`
	Observed *int      `json:"observed_s"`
	Instants *int      `json:"observed_instants"`
	Quality  string    `json:"quality"`
	Reason   string    `json:"reason"`
	Policy   string    `json:"policy"`
	Counts   []cell    `json:"counts"`
	Occ      *struct {
		Permille *float64 `json:"permille"`
	} `json:"occ"`
	Speed *struct {
		N    *float64 `json:"n"`
		Mean *float64 `json:"mean"`
	} `json:"speed"`
	Time struct {
		Synced bool `json:"synced"`
	} `json:"time"`
}

// cell is one number or pair of numbers of a window.
type cell struct {
	Class string   `json:"class"`
	Dir   string   `json:"dir"`
	N     *int64   `json:"n"`
	Mean  *float64 `json:"mean"`
	Peak  *int64   `json:"peak"`
	Min   *int64   `json:"min"`
	Below *int64   `json:"below"`
}

// The words of the messages that the relay branches on.
const (
	schemaCount = "kerb.count/1"
	schemaMeta  = "kerb.meta/1"
	schemaState = "kerb.state/1"
	schemaEvent = "kerb.event/1"
	schemaAck   = "kerb.ack/1"
	schemaCmd   = "kerb.cmd/1"

	qualityGap = "gap"
	dirAToB    = "a_to_b"
	dirBToA    = "b_to_a"
	dirBoth    = "both"

	verbResend    = "resend"
	verbWatermark = "watermark"
)

// address returns the device of the window.
func (w *window) address() uplink.Address {
	return uplink.Address{Tenant: w.Tenant, Site: w.Site, Device: w.Device}
}

// space returns the number space of the window.
func (w *window) space() space { return space{w.address(), w.Epoch, w.Stream} }

// isGap reports whether the window has no numbers.
func (w *window) isGap() bool { return w.Quality == qualityGap || len(w.Counts) == 0 }

// seconds returns the seconds observed. A zone of single pictures has none.
func (w *window) seconds() int {
	if w.Observed == nil {
		return 0
	}
	return *w.Observed
}

// parseWindow decodes a window and checks that it is of the device at a.
func parseWindow(a uplink.Address, b []byte) (*window, error) {
	var w window
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, errors.New("not a window")
	}
	switch {
	case w.Schema != schemaCount:
		return nil, fmt.Errorf("schema %.32q", w.Schema)
	case w.address() != a:
		return nil, fmt.Errorf("the window is of %.200q", w.address())
	case !isLevel(w.Stream) || !isLevel(w.Epoch) || w.Seq == 0 || w.Seq > maxSeq:
		return nil, errors.New("stream, epoch or seq is wrong")
	case !w.End.After(w.Start) || w.End.Sub(w.Start) > longestWindow:
		return nil, errors.New("end is not after start, or more than a day after it")
	case !w.holdsWords():
		return nil, errors.New("quality, reason, policy, class or direction is no word")
	}
	return &w, nil
}

// The bounds of what one message says: the account of all devices must not wait for it.
// maxSeq is a window a minute for 2,000 years. Chosen by hand, but for longestWindow, which
// is that of a policy.
const (
	maxSeq        = 1 << 30
	longestWindow = 24 * time.Hour
	timeAhead     = 48 * time.Hour // by which a clock may be wrong and still be trusted
)

// firstYear is a year before the first kerb: a clock that shows less is not trusted.
const firstYear = 2020

// trustTime ceases to trust a time that cannot be: it would make the account years long. now
// is the time of receipt.
func (w *window) trustTime(now time.Time) {
	w.Time.Synced = w.Time.Synced && w.Start.Year() >= firstYear && w.End.Before(now.Add(timeAhead))
}

// holdsWords reports whether the texts of the window are words: they go into tables and
// onto terminals.
func (w *window) holdsWords() bool {
	hash := strings.TrimPrefix(w.Policy, "sha256:")
	for _, text := range []string{w.Quality, w.Reason, hash} {
		if text != "" && !isLevel(text) {
			return false
		}
	}
	return !slices.ContainsFunc(w.Counts, func(c cell) bool {
		return c.Class != "" && !isLevel(c.Class) || c.Dir != "" && !isLevel(c.Dir)
	})
}

// printable returns a device's words, at most maxRefusal bytes, without what a terminal
// takes for a command or what turns the text around.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text[:min(len(text), maxRefusal)])
	return strings.ToValidUTF8(text, "")
}

// isLevel reports whether s can be a level of a topic: 1–64 of a–z, 0–9, _ and -.
func isLevel(s string) bool {
	_, ok := uplink.ParseAddress(s + "/a/a")
	return ok
}

// meta is a message of the schema kerb.meta/1, as far as the relay reads it.
type meta struct {
	Schema    string          `json:"schema"`
	Tenant    string          `json:"tenant"`
	Site      string          `json:"site"`
	Device    string          `json:"device"`
	Version   string          `json:"version"`
	WindowS   float64         `json:"window_s"`
	Streams   []uplink.Stream `json:"streams"`
	Place     *uplink.Place   `json:"place"`
	Policy    uplink.Policy   `json:"policy"`
	Clearing  clearing        `json:"clearing"`
	Retention float64         `json:"retention_s"`
	Commands  []string        `json:"commands"`
}

// clearing is the member clearing of meta.
type clearing struct {
	Method string                   `json:"method"`
	Noise  map[string]policy.Noised `json:"noise"`
	Round  int64                    `json:"round"`
}

func (m *meta) address() uplink.Address {
	return uplink.Address{Tenant: m.Tenant, Site: m.Site, Device: m.Device}
}

// allows reports whether the device obeys the verb.
func (m *meta) allows(verb string) bool { return m != nil && slices.Contains(m.Commands, verb) }

// stream returns the declaration of a stream, nil where meta has none.
func (m *meta) stream(id string) *uplink.Stream {
	if m == nil {
		return nil
	}
	for i := range m.Streams {
		if m.Streams[i].ID == id {
			return &m.Streams[i]
		}
	}
	return nil
}

// deviation returns the standard deviation of the noise of one number of a stream, n,
// mean or peak; 0 without noise. Quantities of a stream share ε with its counts, so
// that its own entry counts.
func (m *meta) deviation(stream, number string) float64 {
	if m == nil {
		return 0
	}
	if s := m.stream(stream); s != nil && number == "n" {
		for _, q := range s.Quantities {
			if q.Name == "counts" && q.Noise != nil {
				return q.Noise.Deviation
			}
		}
	}
	return m.Clearing.Noise[number].Deviation
}

// isMadeUp reports whether the numbers of a stream are of no street.
func (m *meta) isMadeUp(stream string) bool {
	s := m.stream(stream)
	return s != nil && s.MadeUp != ""
}

// place returns the place of a stream: its own, or that of the device; nil: none.
func (m *meta) place(stream string) *uplink.Place {
	if s := m.stream(stream); s != nil && s.Place != nil {
		return s.Place
	}
	if m == nil {
		return nil
	}
	return m.Place
}

// bearing returns the bearing of a direction of a stream in degrees, 0 to 360.
func (m *meta) bearing(stream, dir string) (float64, bool) {
	s := m.stream(stream)
	if s == nil || s.Bearing == nil || dir == dirBoth || dir == "" {
		return 0, false
	}
	if dir == dirBToA {
		return math.Mod(*s.Bearing+180, 360), true
	}
	return math.Mod(*s.Bearing, 360), true
}

// topicOf splits kerb/v1/tenant/site/device/kind[/stream].
func topicOf(topic string) (a uplink.Address, kind string, ok bool) {
	rest, ok := strings.CutPrefix(topic, "kerb/v1/")
	l := strings.Split(rest, "/")
	if !ok || len(l) < 4 {
		return a, "", false
	}
	a, ok = uplink.ParseAddress(strings.Join(l[:3], "/"))
	return a, l[3], ok
}
