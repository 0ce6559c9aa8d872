package policy

import (
	"cmp"
	"slices"

	"kerb/agent/mistake"
	"kerb/agent/week"
)

// key is one key of policy.toml, with the rule that compares two of its values.
type key struct {
	mistake.Key

	// effect compares the values of two policies; it is called only when they
	// differ.
	effect func(old, new *terms) Effect
}

// Effect is the meaning of a changed key for the people who are counted.
type Effect uint8

// The effects.
const (
	Neutral  Effect = iota // no effect on them: names and addresses
	Stricter               // less may be known
	Looser                 // more may be known, or it cannot be compared
)

// String is the effect in one English word.
func (w Effect) String() string { return [...]string{"changed", "stricter", "looser"}[w] }

// keyDoc is the documentation of a key in one line; empty if there is no such
// key.
func keyDoc(name string) string {
	for _, k := range policyKeys() {
		if k.Name == name {
			return k.Doc
		}
	}
	return ""
}

// textShape is the JSON Schema of one line of text.
const textShape = `{"type": "string", "maxLength": 200}`

// policyKeys are all keys of policy.toml, in the order of the canonical form.
func policyKeys() []key {
	return []key{
		{mistake.Required("schema", "the form of this file", `{"const": "`+Schema+`"}`), alwaysNeutral},
		{mistake.Required("version", "the number of this version of the policy; a later one must be higher", `{"type": "integer", "minimum": 1, "maximum": 2147483648}`), alwaysNeutral},
		{mistake.Optional("title", "what its author calls the policy", textShape), alwaysNeutral},
		{mistake.Required("purpose", "statistical, or operational when the numbers steer something now", `{"enum": ["statistical", "operational"]}`), moreIsLooser(func(t *terms) int { return boolToInt(t.Purpose != Statistical) })},
		{mistake.Optional("controller.name", "who answers for the counting", textShape), alwaysNeutral},
		{mistake.Optional("controller.contact", "how to reach them", textShape), alwaysNeutral},
		{mistake.Required("count.streams", "what may be counted: line, zone, loop", setShape(`{"enum": ["line", "zone", "loop"]}`, 1)), membersLoosen(func(t *terms) []kind { return t.Count.Streams })},
		{mistake.Required("count.classes", "which objects may be counted", setShape(`{"enum": `+classList()+`}`, 1)), membersLoosen(func(t *terms) []class { return t.Count.Classes })},
		{mistake.Optional("count.quantities", "what else of these objects may be released, with a share of the same epsilon: occupancy, speed, speeds, lengths, headways, gaps, congested, standing; without noise occupancy and speed only", setShape(`{"enum": `+quantityList()+`}`, 0)), membersLoosen(func(t *terms) []quantity { return t.Count.Quantities })},
		{mistake.Optional("camera.pixels", "the largest picture that may be looked at, such as 640x480, or any shape of as many pixels", `{"type": "string", "pattern": "^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$"}`), moreIsLooser(func(t *terms) int { return t.Camera.Pixels.Area() })},
		{mistake.Optional("camera.follow_max", "the longest that one object may be followed, at most 60s; 0s: nothing is followed, and no line counted", durationShape), moreIsLooser(func(t *terms) duration { return t.Camera.FollowMax })},
		{mistake.Optional("camera.masks_required", "whether a camera without a mask is refused", `{"type": "boolean"}`), lessIsLooser(func(t *terms) int { return boolToInt(t.Camera.MasksRequired) })},
		{mistake.Optional("mask", "an area of one camera that is blackened before anything looks at its picture", masksShape), maskEffect},
		{mistake.Optional("hours.open", "days and hours in which counting is allowed, such as \"Mon-Fri 07:00-19:00\"", setShape(`{"type": "string", "pattern": "`+week.SpanPattern+`"}`, 1)), hoursEffect},
		{mistake.Optional("hours.timezone", "the time zone of these hours, such as Europe/Helsinki", `{"type": "string", "minLength": 1}`), hoursEffect},
		{mistake.Required("clear.window", "the time that one number stands for; at least 15m for camera counts without noise, 5m for loop counts without noise, 1m for anything; a whole part of a day", durationShape), lessIsLooser(func(t *terms) duration { return t.Clear.Window })},
		{mistake.Required("clear.method", "noise: exact random noise on every number; suppress: small numbers withheld, others rounded; bands: zones only, how busy", `{"enum": ["noise", "suppress", "bands"]}`), alwaysEffect(Looser)},
		{mistake.Optional("clear.epsilon", "noise: the privacy loss that one passage over one line, or one presence in a zone, can cause", `{"type": "number", "minimum": 0.01, "maximum": 2}`), moreIsLooser(func(t *terms) float64 { return t.Clear.Epsilon })},
		{mistake.Optional("clear.below", "noise, suppress: numbers smaller than this are withheld; at least 5 with suppress", `{"type": "integer", "minimum": 0, "maximum": 1000}`), lessIsLooser(func(t *terms) int { return t.Clear.Below })},
		{mistake.Optional("clear.round", "suppress: numbers are rounded to multiples of this; at least 5 for cameras", `{"type": "integer", "minimum": 1, "maximum": 1000}`), lessIsLooser(func(t *terms) int { return t.Clear.Round })},
		{mistake.Optional("clear.totals", "suppress: whether both directions together are given too", `{"type": "boolean"}`), moreIsLooser(func(t *terms) int { return boolToInt(t.Clear.Totals) })},
		{mistake.Optional("clear.bands", "bands: where each band but the first begins; [5, 10] means 0–4, 5–9, 10 and more", `{"type": "array", "items": {"type": "integer", "minimum": 5, "maximum": 1000}, "minItems": 1, "maxItems": 7, "uniqueItems": true}`), membersLoosen(func(t *terms) []int { return t.Clear.Bands })},
		{mistake.Optional("clear.overlap", "in how many streams of one sensor the same object may be counted; times epsilon at most 4", `{"type": "integer", "minimum": 1, "maximum": 8}`), moreIsLooser(func(t *terms) int { return t.Clear.Overlap })},
		{mistake.Required("keep.retention", "how long a released number may stay on the device, 1h–168h", durationShape), moreIsLooser(func(t *terms) duration { return t.Keep.Retention })},
		{mistake.Optional("aim.show", "what the commissioning page may show of a picture", `{"enum": ["nothing", "silhouettes"]}`), moreIsLooser(func(t *terms) int { return boolToInt(t.Aim.Show != ShowNothing) })},
		{mistake.Optional("aim.session", "the longest that it may do so at a time, at most 1h", durationShape), moreIsLooser(func(t *terms) duration { return t.Aim.Session })},
		{mistake.Optional("status.page", "whether people at the device may open the status page, with the released numbers of the last 72 hours; left out: they may", `{"type": "boolean"}`), moreIsLooser(func(t *terms) int { return boolToInt(t.Status.Page) })},
		{mistake.Optional("broker.commands", "which commands the broker may give", setShape(`{"enum": ["resend", "watermark", "want"]}`, 0)), membersLoosen(func(t *terms) []Command { return t.Broker.Commands })},
		{mistake.Optional("alert", "when a zone is busy, for an operational purpose and method bands: an event tells it, and its end", alertShape()), alwaysNeutral},
	}
}

const (
	durationShape = `{"type": "string", "pattern": "^([0-9.]+(h|m|s))+$|^0$"}`
	masksShape    = `{"type": "array", "maxItems": 64, "items": {"type": "object", "additionalProperties": false, "required": ["camera", "area"], "properties": {` +
		`"camera": {"description": "the camera's name in site.toml", "type": "string", "minLength": 1, "maxLength": 200}, ` +
		`"area": {"description": "its corners, x and y from 0 (left, top) to 1 (right, bottom)", "type": "array", "minItems": 3, "maxItems": 64, ` +
		`"items": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number", "minimum": 0, "maximum": 1}}}}}}`
)

func setShape(items string, least int) string {
	return `{"type": "array", "items": ` + items + `, "minItems": ` + string('0'+rune(least)) + `, "uniqueItems": true}`
}

func alwaysNeutral(_, _ *terms) Effect { return Neutral }

func alwaysEffect(w Effect) func(old, new *terms) Effect {
	return func(_, _ *terms) Effect { return w }
}

// moreIsLooser compares keys of which a larger value is looser.
func moreIsLooser[T cmp.Ordered](f func(*terms) T) func(old, new *terms) Effect {
	return func(old, new *terms) Effect {
		switch cmp.Compare(f(old), f(new)) {
		case -1:
			return Looser
		case 1:
			return Stricter
		}
		return Neutral
	}
}

// lessIsLooser compares keys of which a smaller value is looser.
func lessIsLooser[T cmp.Ordered](f func(*terms) T) func(old, new *terms) Effect {
	return func(old, new *terms) Effect { return moreIsLooser(f)(new, old) }
}

// membersLoosen compares lists of which every member allows or reveals
// something more: stricter is a subset only.
func membersLoosen[T comparable](f func(*terms) []T) func(old, new *terms) Effect {
	return func(old, new *terms) Effect {
		if isSubset(f(new), f(old)) {
			return Stricter
		}
		return Looser
	}
}

func isSubset[T comparable](a, b []T) bool {
	return !slices.ContainsFunc(a, func(x T) bool { return !slices.Contains(b, x) })
}

// maskEffect is stricter only if every old mask is still there.
func maskEffect(old, new *terms) Effect {
	for _, m := range old.Mask {
		if !slices.ContainsFunc(new.Mask, func(n mask) bool { return n.Camera == m.Camera && slices.Equal(n.Area, m.Area) }) {
			return Looser
		}
	}
	return Stricter
}

// hoursEffect is looser if a minute of the week was closed and is open now, or
// if the time zone is another one and not all hours were open before.
func hoursEffect(old, new *terms) Effect {
	was, is := old.openMinutes(), new.openMinutes()
	if old.Hours.Timezone != new.Hours.Timezone {
		if was == wholeWeek() {
			return Stricter.exceptIf(is == wholeWeek(), Neutral)
		}
		return Looser
	}
	for i := range is {
		if is[i] && !was[i] {
			return Looser
		}
	}
	return Stricter.exceptIf(was == is, Neutral)
}

func (w Effect) exceptIf(yes bool, other Effect) Effect {
	if yes {
		return other
	}
	return w
}

// weekMinutes has one entry for each minute of a week.
type weekMinutes [7 * 24 * 60]bool

func wholeWeek() (w weekMinutes) {
	for i := range w {
		w[i] = true
	}
	return w
}

// openMinutes tells for every minute of the week, from Monday 00:00, whether
// counting is allowed.
func (t *terms) openMinutes() (w weekMinutes) { return minutesIn(t.Hours.Open) }

// minutesIn tells for every minute of the week whether it is in the stretches.
func minutesIn(spans week.Spans) (w weekMinutes) {
	for _, s := range spans {
		for d := s.First; d <= s.Last; d++ {
			for m := s.From; m < s.To; m++ {
				w[d*minutesADay+m] = true
			}
		}
	}
	return w
}

func boolToInt(v bool) int { return int(flagByte(v)) }
