// Package policy decides which numbers may leave the device. A Policy is the
// reviewer's file policy.toml, checked against floors that are compiled in. Its
// method Clear turns a counting.Tally into a Release, by exact discrete Laplace
// noise, by suppression and rounding, or by bands; a Release is the only value
// that kerb stores or sends.
//
// The unit of protection is one passage: one object over one line, once, as it
// was counted. For a zone it is one presence: one object, seen as one class, in
// one zone during one window. A person who passes C times, or is counted C
// times, is exposed C times, and Explain says so.
//
// The package refuses files that are looser than a floor, and Tallies that the
// policy does not allow. It knows no pictures: it gives limits for the
// commissioning page, and the page enforces them.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"kerb/agent/mistake"
	"kerb/counting"
)

// A Policy is a checked policy file. It does not change after Parse, and
// several goroutines may use it at once.
type Policy struct {
	terms terms
	name  string // of the file, for messages
	canon []byte
	hash  [sha256.Size]byte
	zone  *time.Location
	sheet *mistake.Sheet

	always bool // whether all of the week is open; stored, because it is needed several times a second
}

// maxFile is the largest policy file in bytes. A page of prose is about 3 KB.
const maxFile = 64 << 10

// Load reads and checks a policy file. All mistakes in it come back together,
// as a mistake.List.
func Load(path string) (*Policy, error) {
	data, err := mistake.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	return Parse(path, data)
}

// Parse checks a policy that was read from the named file. All mistakes in it
// come back together, as a mistake.List.
func Parse(name string, data []byte) (*Policy, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: %d bytes: a policy has at most %d", name, len(data), maxFile)
	}
	t := defaultTerms()
	s := mistake.DecodeTOML(name, data, &t)
	if s.Malformed() {
		return nil, s.Err()
	}
	if s.HasKey("device") && !s.HasKey("clear") && !s.HasKey("purpose") {
		return nil, mistake.List{{File: name, Want: "is a site file, not a policy", Hint: "are the two files swapped?"}}
	}
	return newPolicy(name, t, s, false)
}

// newPolicy checks the terms of a decoded file and makes the Policy. The window
// of the demonstration is not held against its floor.
func newPolicy(name string, t terms, s *mistake.Sheet, demo bool) (*Policy, error) {
	t.sortSets()
	zone := t.loadTimeZone(s)
	t.checkComplete(s)
	t.checkFloors(s, demo)
	t.checkHours(s, zone)
	if err := s.Err(); err != nil {
		return nil, firstOfEachKey(err)
	}
	p := &Policy{terms: t, name: name, zone: zone, sheet: s, canon: formatCanonical(&t), always: t.openMinutes() == wholeWeek()}
	p.hash = sha256.Sum256(p.canon)
	return p, nil
}

// firstOfEachKey removes all mistakes of a key but the first. A value that
// could not be decoded has its zero value, which the floors would report a
// second time.
func firstOfEachKey(err error) error {
	var l mistake.List
	if !errors.As(err, &l) {
		return err
	}
	return slices.CompactFunc(l, func(a, b mistake.Mistake) bool { return a.Line == b.Line && a.Key == b.Key })
}

// Name is the path of the file, or "demo".
func (p *Policy) Name() string { return p.name }

// Title is the title that the author gave the policy.
func (p *Policy) Title() string { return p.terms.Title }

// Version is the number of this version. A later policy has a higher one.
func (p *Policy) Version() int64 { return p.terms.Version }

// Purpose is the use of the numbers: statistical or operational.
func (p *Policy) Purpose() Purpose { return p.terms.Purpose }

// Controller is the name of the organisation that is responsible for the
// counting (the controller of the GDPR); empty: not provided.
func (p *Policy) Controller() string { return p.terms.Controller.Name }

// Contact is the address of the controller; empty: not provided.
func (p *Policy) Contact() string { return p.terms.Controller.Contact }

// Canonical is the policy in its one canonical form: TOML with every key, in a
// fixed order, without comments. Parse reads it back to an equal policy. Hash
// and signatures are computed over these bytes.
func (p *Policy) Canonical() []byte { return slices.Clone(p.canon) }

// Hash is "sha256:" and the hexadecimal SHA-256 of the canonical form.
func (p *Policy) Hash() string { return hashText(p.hash) }

func hashText(h [sha256.Size]byte) string { return "sha256:" + hex.EncodeToString(h[:]) }

// Window is the length of every window that this policy clears, aligned in UTC.
func (p *Policy) Window() time.Duration { return time.Duration(p.terms.Clear.Window) }

// Method is the method by which counts are cleared.
func (p *Policy) Method() Method { return p.terms.Clear.Method }

// Epsilon is the privacy loss ε of one passage over one line, or of one
// presence in one zone; 0 without noise.
func (p *Policy) Epsilon() float64 { return p.terms.Clear.Epsilon }

// AllowsClass reports whether objects of the class may be counted.
func (p *Policy) AllowsClass(c counting.Class) bool {
	return slices.Contains(p.terms.Count.Classes, class(c))
}

// AllowsKind reports whether streams of this kind may be counted.
func (p *Policy) AllowsKind(k counting.Kind) bool {
	return slices.Contains(p.terms.Count.Streams, kind(k))
}

// MaxPixels is the largest number of pixels that a delivered picture may have.
func (p *Policy) MaxPixels() int { return p.terms.Camera.Pixels.Area() }

// Overlap returns in how many streams of one sensor the same object may be counted.
func (p *Policy) Overlap() int { return p.terms.Clear.Overlap }

// FollowMax is the longest time for which an object may be tracked. 0: not at
// all; then lines cannot be counted.
func (p *Policy) FollowMax() time.Duration { return time.Duration(p.terms.Camera.FollowMax) }

// CameraMasks are the areas of the named camera's picture that are blackened before
// detection, in addition to the site's own.
func (p *Policy) CameraMasks(camera string) []counting.Polygon {
	var out []counting.Polygon
	for _, m := range p.terms.Mask {
		if m.Camera == camera {
			out = append(out, m.toPolygon())
		}
	}
	return out
}

// MasksRequired reports whether a camera without any mask is refused.
func (p *Policy) MasksRequired() bool { return p.terms.Camera.MasksRequired }

// OpenAt reports whether counting is allowed at the time at.
func (p *Policy) OpenAt(at time.Time) bool { return p.terms.Hours.Open.Contains(at.In(p.zone)) }

// TimeZone is the time zone of the policy's hours.
func (p *Policy) TimeZone() *time.Location { return p.zone }

// AlwaysOpen reports whether no hour of the week is closed.
func (p *Policy) AlwaysOpen() bool { return p.always }

// openAll reports whether counting is allowed all the time from start to end.
// It tests every minute, the resolution of the hours.
func (p *Policy) openAll(start, end time.Time) bool {
	if p.always {
		return true
	}
	for at := start; at.Before(end); at = at.Add(time.Minute) {
		if !p.OpenAt(at) {
			return false
		}
	}
	return p.OpenAt(end.Add(-time.Nanosecond))
}

// Retention is the longest time for which a Release may stay on the device.
func (p *Policy) Retention() time.Duration { return time.Duration(p.terms.Keep.Retention) }

// AimingLimits gives the content that the commissioning page may show, and the
// longest duration of one session.
func (p *Policy) AimingLimits() (Show, time.Duration) {
	return p.terms.Aim.Show, time.Duration(p.terms.Aim.Session)
}

// AllowsStatusPage reports whether people at the device may open the status page.
func (p *Policy) AllowsStatusPage() bool { return p.terms.Status.Page }

// AllowsCommand reports whether the broker may send the command.
func (p *Policy) AllowsCommand(verb string) bool {
	return slices.Contains(p.terms.Broker.Commands, Command(verb))
}
