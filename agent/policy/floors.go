package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kerb/agent/mistake"
	"kerb/counting"
)

// The floors: a file may be stricter than any of them, never looser. They are
// constants, not keys: loosening one takes another release of the program.
const (
	maxPixels    = 640 * 480
	maxFollow    = time.Minute
	maxRetention = 7 * 24 * time.Hour
	maxSession   = time.Hour
	maxEpsilon   = 2.0 // for one passage over one line
	minEpsilon   = 0.01
	maxLoss      = 4.0 // for one object at one sensor: ε × overlap
	maxOverlap   = 8
	minBelow     = 5 // where no noise is added: smaller counts are withheld
	minRound     = 5 // for cameras, where no noise is added
	minBand      = 5 // width of an occupancy band
	maxBelow     = 1000
	maxBands     = 8
	maxMasks     = 64
	maxCorners   = 64

	minWindow       = time.Minute // for anything
	minLoopWindow   = 5 * time.Minute
	minCameraWindow = 15 * time.Minute
	maxWindow       = 24 * time.Hour
)

// Schema is the value of the key schema: the version of the file's format.
const Schema = "kerb.policy/1"

// checkComplete reports keys that are missing, list members that are doubled,
// and keys that do not belong to the method.
func (t *terms) checkComplete(s *mistake.Sheet) {
	if t.Schema != Schema {
		s.Reject("schema", "must be "+quoteTOML(Schema), "it says which form of file this is")
	}
	for _, k := range []string{"purpose", "clear.method", "clear.window", "keep.retention"} {
		if !s.HasKey(k) {
			s.Reject(k, "is missing", "a policy states this itself: "+keyDoc(k))
		}
	}
	checkList(s, "count.streams", t.Count.Streams, true)
	checkList(s, "count.classes", t.Count.Classes, true)
	checkList(s, "count.quantities", t.Count.Quantities, false)
	checkList(s, "broker.commands", t.Broker.Commands, false)
	checkList(s, "hours.open", t.Hours.Open, true)
	for _, f := range []struct{ key, v string }{
		{"title", t.Title}, {"controller.name", t.Controller.Name}, {"controller.contact", t.Controller.Contact},
	} {
		if !isLine(f.v) {
			s.Reject(f.key, "must be one line of at most 200 bytes that a screen shows", "no control characters, none that turn the direction of text")
		}
	}
	t.checkMethodKeys(s)
	if len(t.Mask) > maxMasks {
		s.Reject("mask", fmt.Sprintf("must be at most %d areas", maxMasks), "")
	}
	t.checkAlerts(s)
	for i, m := range t.Mask {
		t.checkMask(s, fmt.Sprintf("mask[%d]", i), m)
	}
}

// isLine reports whether v is one line of text of at most 200 bytes, without characters
// that cannot be seen: some of them turn the direction of the text around.
func isLine(v string) bool {
	return len(v) <= 200 && utf8.ValidString(v) && !strings.ContainsFunc(v, func(r rune) bool {
		return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp)
	})
}

// checkMethodKeys reports keys that the method needs and the file lacks, and
// keys that have no meaning for the method.
func (t *terms) checkMethodKeys(s *mistake.Sheet) {
	for _, k := range policyKeys() {
		has, wants, must := s.HasKey(k.Name), keyBelongs(k.Name, t.Clear.Method), k.Name != "clear.round" && k.Name != "clear.totals" && k.Name != "count.quantities"
		switch {
		case methodsKnowing(k.Name) == nil || t.Clear.Method == "":
		case has && !wants:
			s.Reject(k.Name, "does not go with method "+quoteTOML(string(t.Clear.Method)), "take it out")
		case !has && wants && must:
			s.Reject(k.Name, "is missing", "method "+quoteTOML(string(t.Clear.Method))+" needs it: "+k.Doc)
		}
	}
}

// methodsKnowing are the methods for which a key has a meaning; nil means all.
func methodsKnowing(key string) []Method {
	switch key {
	case "clear.epsilon":
		return []Method{Noise}
	case "clear.below":
		return []Method{Noise, Suppress}
	case "clear.round", "clear.totals":
		return []Method{Suppress}
	case "count.quantities":
		return []Method{Noise, Suppress}
	case "clear.bands":
		return []Method{Bands}
	}
	return nil
}

// keyBelongs reports whether a key has a meaning for the method.
func keyBelongs(key string, m Method) bool {
	known := methodsKnowing(key)
	return known == nil || slices.Contains(known, m)
}

func checkList[T comparable](s *mistake.Sheet, key string, v []T, needed bool) {
	if needed && len(v) == 0 {
		s.Reject(key, "must name at least one", keyDoc(key))
	}
	for i, x := range v {
		if slices.Contains(v[:i], x) {
			s.Reject(key, fmt.Sprintf("names %v twice", x), "")
			return
		}
	}
}

func (t *terms) checkMask(s *mistake.Sheet, key string, m mask) {
	if m.Camera == "" || !isLine(m.Camera) {
		s.Reject(key+".camera", "must be the camera's name in site.toml", "")
	}
	if n := len(m.Area); n < 3 || n > maxCorners {
		s.Reject(key+".area", fmt.Sprintf("must have 3–%d corners", maxCorners), "such as [[0, 0], [0.3, 0], [0, 0.5]]")
	}
	for _, p := range m.Area {
		if !(p[0] >= 0 && p[0] <= 1 && p[1] >= 0 && p[1] <= 1) {
			s.Reject(key+".area", "must lie in the picture, 0–1", "x from left to right, y from top to bottom")
			return
		}
	}
}

func (t *terms) loadTimeZone(s *mistake.Sheet) *time.Location {
	zone, err := time.LoadLocation(t.Hours.Timezone)
	if err != nil || t.Hours.Timezone == "Local" || t.Hours.Timezone == "" {
		s.Reject("hours.timezone", "must be UTC or a name such as Europe/Helsinki", "it must not depend on the device's own setting")
		return time.UTC
	}
	return zone
}

// checkFloors reports every value that is looser than the program allows, or
// out of range. It skips keys that the file lacks: checkComplete has reported
// them.
func (t *terms) checkFloors(s *mistake.Sheet, demo bool) {
	t.checkCaptureFloors(s)
	t.checkClearFloors(s)
	if t.Clear.Method == Noise {
		t.checkNoiseFloors(s)
	}
	if s.HasKey("clear.window") && !demo {
		t.checkWindowFloor(s)
	}
	if d := time.Duration(t.Keep.Retention); s.HasKey("keep.retention") && (d < time.Hour || d > maxRetention) {
		s.Reject("keep.retention", "must be 1h–168h", "a week is the longest that anything may stay on a device")
	}
	if d := time.Duration(t.Aim.Session); d > maxSession {
		s.Reject("aim.session", "must be at most 1h", "")
	} else if (d > 0) != (t.Aim.Show != ShowNothing) {
		s.Reject("aim.session", "must be given if, and only if, aim.show shows something", "")
	}
}

func (t *terms) checkCaptureFloors(s *mistake.Sheet) {
	if t.Version < 1 || t.Version > 1<<31 {
		s.Reject("version", "must be 1 or more, and higher than the last", "it keeps an old policy from being brought back")
	}
	if t.Camera.Pixels.Area() > maxPixels {
		s.Reject("camera.pixels", fmt.Sprintf("must be at most 640x480, or as many pixels (%d) in another shape", maxPixels), "")
	}
	d := time.Duration(t.Camera.FollowMax)
	if d > maxFollow {
		s.Reject("camera.follow_max", "must be at most 60s", "an object that is lost is counted, or not, where it was lost")
	}
	if d == 0 && slices.Contains(t.Count.Streams, kind(counting.LineStream)) {
		s.Reject("camera.follow_max", "must be 1s–60s where lines are counted", `with 0 nothing is followed: then count.streams must not name "line"`)
	}
}

// usesCamera reports whether any stream may be fed by a camera.
func (t *terms) usesCamera() bool {
	return slices.ContainsFunc(t.Count.Streams, func(k kind) bool { return counting.Kind(k) != counting.LoopStream })
}

// leastWindow is the shortest window that these terms may have.
func (t *terms) leastWindow() time.Duration {
	switch {
	case t.Clear.Method == Suppress && t.usesCamera():
		return minCameraWindow
	case t.Clear.Method == Suppress:
		return minLoopWindow
	}
	return minWindow
}

func (t *terms) checkWindowFloor(s *mistake.Sheet) {
	switch d, least := time.Duration(t.Clear.Window), t.leastWindow(); {
	case d < least:
		s.Reject("clear.window", "must be at least "+duration(least).String(), "15m for camera counts without noise, 5m for loop counts without noise, 1m for anything")
	case d > maxWindow || maxWindow%d != 0:
		s.Reject("clear.window", "must go evenly into a day", "such as 15m or 1h")
	}
}

func (t *terms) checkClearFloors(s *mistake.Sheet) {
	c := &t.Clear
	if c.Overlap < 1 || c.Overlap > maxOverlap {
		s.Reject("clear.overlap", fmt.Sprintf("must be 1–%d", maxOverlap), keyDoc("clear.overlap"))
	}
	if c.Method == Suppress && slices.ContainsFunc(t.Count.Quantities, needsNoise) {
		s.Reject("count.quantities", "must be occupancy and speed without noise", "a withheld bin of a histogram is the count less the others: it needs method \"noise\"")
	}
	if t.Camera.FollowMax == 0 && slices.Contains(t.Count.Quantities, quantity(counting.Standing)) {
		s.Reject("count.quantities", "must not name standing where nothing is followed", "camera.follow_max says for how long: in a single picture everything stands")
	}
	switch c.Method {
	case Suppress:
		if s.HasKey("clear.below") && (c.Below < minBelow || c.Below > maxBelow) {
			s.Reject("clear.below", fmt.Sprintf("must be %d–%d", minBelow, maxBelow), "smaller counts are withheld")
		}
		lo := 1
		if t.usesCamera() {
			lo = minRound
		}
		if c.Round < lo || c.Round > maxBelow {
			s.Reject("clear.round", fmt.Sprintf("must be %d–%d", lo, maxBelow), "camera counts without noise are always rounded")
		}
	case Bands:
		t.checkBandFloors(s)
	}
}

func (t *terms) checkBandFloors(s *mistake.Sheet) {
	if len(t.Count.Streams) > 0 && !slices.Equal(t.Count.Streams, []kind{kind(counting.ZoneStream)}) {
		s.Reject("count.streams", `must be ["zone"] with method "bands"`, "a band says how busy a place is, not how many came by")
	}
	last := 0
	for _, b := range t.Clear.Bands {
		if b < last+minBand || b > maxBelow {
			s.Reject("clear.bands", fmt.Sprintf("must rise by at least %d, up to %d", minBand, maxBelow), "[5, 10, 20] means 0–4, 5–9, 10–19 and 20 or more")
			return
		}
		last = b
	}
	if n := len(t.Clear.Bands); n > maxBands-1 || n == 0 && s.HasKey("clear.bands") {
		s.Reject("clear.bands", fmt.Sprintf("must have 1–%d members", maxBands-1), "")
	}
}

func (t *terms) checkNoiseFloors(s *mistake.Sheet) {
	c := &t.Clear
	if c.Below < 0 || c.Below > maxBelow {
		s.Reject("clear.below", fmt.Sprintf("must be 0–%d", maxBelow), "0 publishes every number as it was drawn, also a negative one")
	}
	if !s.HasKey("clear.epsilon") {
		return
	}
	thousandths := math.Round(c.Epsilon * 1000)
	switch {
	case !(c.Epsilon >= minEpsilon && c.Epsilon <= maxEpsilon):
		s.Reject("clear.epsilon", "must be 0.01–2", "smaller is stricter; 1 is usual")
	case thousandths/1000 != c.Epsilon:
		s.Reject("clear.epsilon", "must have at most three decimals", "the noise is drawn with whole numbers only")
	case c.Epsilon*float64(c.Overlap) > maxLoss:
		s.Reject("clear.overlap", fmt.Sprintf("times epsilon must be at most %g", maxLoss), "fewer streams, or more noise in each")
	}
}

// ClipPixels is the compiled-in limit for every policy, in pixels: a picture is
// reduced to at most this before a detector reads it.
const ClipPixels = 640 * 480
