package policy

import (
	"fmt"
	"slices"
	"time"

	"kerb/agent/mistake"
	"kerb/counting"
)

// maxAlerts bounds the alerts of a policy. Chosen by hand.
const maxAlerts = 64

// An Alert says when a zone is busy: an event is told when it begins and when it
// ends. It is judged from released bands alone, so it tells nothing that the windows
// do not tell. Between Clear and Raise the zone stays as it is (hysteresis).
type Alert struct {
	Stream string
	Class  counting.Class
	Raise  int64         // busy: the band begins here, or higher
	Clear  int64         // no longer busy: the band ends here, or lower; smaller than Raise
	For    time.Duration // for which either must hold, a multiple of the window
}

// alert mirrors one [[alert]] of policy.toml.
type alert struct {
	Stream string   `toml:"stream"`
	Class  class    `toml:"class"`
	Raise  int      `toml:"raise"`
	Clear  int      `toml:"clear"`
	For    duration `toml:"for"`
}

const alertsShape = `{"type": "array", "maxItems": 64, "items": {"type": "object", "additionalProperties": false, "required": ["stream", "class", "raise", "clear", "for"], "properties": {` +
	`"stream": {"description": "the zone's id in site.toml", "type": "string", "pattern": "^[a-z0-9_-]{1,64}$"}, ` +
	`"class": {"description": "whose band is looked at", "enum": `

// alertShape returns the JSON Schema of the key alert.
func alertShape() string {
	return alertsShape + classList() + `}, ` +
		`"raise": {"description": "busy from the band on that begins here: a member of clear.bands", "type": "integer", "minimum": 5, "maximum": 1000}, ` +
		`"clear": {"description": "no longer busy below this: a member of clear.bands, smaller than raise", "type": "integer", "minimum": 5, "maximum": 1000}, ` +
		`"for": {"description": "for which either must hold, a multiple of clear.window", "type": "string", "pattern": "^([0-9.]+(h|m|s))+$|^0$"}}}}`
}

// Alerts are the alerts of the policy, in the order of the file.
func (p *Policy) Alerts() []Alert {
	var out []Alert
	for _, a := range p.terms.Alert {
		out = append(out, Alert{a.Stream, counting.Class(a.Class), int64(a.Raise), int64(a.Clear), time.Duration(a.For)})
	}
	return out
}

// KeepsNow reports whether the last window of each stream is kept at the broker, for
// those who act at once: an operational policy, and the demonstration of alerts.
func (p *Policy) KeepsNow() bool { return p.Purpose() == Operational || len(p.terms.Alert) > 0 }

// checkAlerts reports alerts that the rest of the policy does not allow.
func (t *terms) checkAlerts(s *mistake.Sheet) {
	switch n := len(t.Alert); {
	case n == 0:
		return
	case n > maxAlerts:
		s.Reject("alert", fmt.Sprintf("must be at most %d alerts", maxAlerts), "")
	case t.Purpose == Statistical:
		s.Reject("alert", `must go with purpose "operational"`, "an alert is for people who act at once")
	case t.Clear.Method != Bands && t.Clear.Method != "":
		s.Reject("alert", `must go with method "bands"`, "an alert is judged from released bands alone")
	}
	for i := range t.Alert {
		t.checkAlert(s, i)
	}
}

func (t *terms) checkAlert(s *mistake.Sheet, i int) {
	a, key, window := t.Alert[i], fmt.Sprintf("alert[%d]", i), t.Clear.Window
	for _, k := range []string{"stream", "class", "raise", "clear", "for"} {
		if !s.HasKey(key + "." + k) {
			s.Reject(key+"."+k, "is missing", "an alert has stream, class, raise, clear and for")
			return
		}
	}
	if !isName(a.Stream) {
		s.Reject(key+".stream", "must be the id of a zone in site.toml", "")
	}
	if !slices.Contains(t.Count.Classes, a.Class) {
		s.Reject(key+".class", "must be one of count.classes", "")
	}
	const band = "must be a member of clear.bands"
	switch {
	case !slices.Contains(t.Clear.Bands, a.Raise):
		s.Reject(key+".raise", band, "an alert is judged from released bands alone")
	case !slices.Contains(t.Clear.Bands, a.Clear) || a.Clear >= a.Raise:
		s.Reject(key+".clear", band+", smaller than raise", "where both are the same, every change between two bands would be told")
	}
	if window > 0 && (a.For < window || a.For%window != 0 || time.Duration(a.For) > maxWindow) {
		s.Reject(key+".for", "must be a multiple of clear.window, up to 24h", "one window is the shortest")
	}
	for _, other := range t.Alert[:i] {
		if other.Stream == a.Stream && other.Class == a.Class {
			s.Reject(key, "must be the only one of its stream and class", "")
		}
	}
}

// checkAlertStreams adds a conflict for each alert of which the site has no zone that
// counts the class.
func (p *Policy) checkAlertStreams(site Site, add func(at, key, format string, args ...any)) {
	for i, a := range p.Alerts() {
		known := slices.ContainsFunc(site.Streams, func(s Stream) bool {
			return s.ID == a.Stream && s.Kind == counting.ZoneStream && slices.Contains(s.Classes, a.Class)
		})
		if !known {
			add(site.At, fmt.Sprintf("alert[%d].stream", i), "there is no zone %s that counts %s: the policy has an alert for it", quoteTOML(a.Stream), a.Class)
		}
	}
}
