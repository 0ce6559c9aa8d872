// Package policy decides what may be known. A Policy is the reviewer's file,
// checked against floors that are compiled in; its Clear is the only thing in
// kerb that turns what was counted into a Release, and a Release is the only
// thing that is ever stored or sent.
//
// What is protected is one passage: one object over one line, once, as it was
// counted. For a zone it is one presence: one object, seen as one class, in one
// zone during one window. Somebody who passes C times, or is counted C times, is
// exposed C times, and Explain says so.
//
// The package never decides what an operator may see in a picture: it does not
// know that there are pictures.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"kerb/agent/mistake"
	"kerb/counting"
)

// A Policy is a checked policy file. It never changes after it was made, and
// may be used by several goroutines at once.
type Policy struct {
	terms terms
	name  string // of the file, for messages
	canon []byte
	hash  [sha256.Size]byte
	zone  *time.Location
	sheet *mistake.Sheet

	always bool // open all week: asked several times a second
}

// maxFile bounds a policy file: a page of prose fits many times over.
const maxFile = 64 << 10

// Load reads and checks a policy file. What is wrong with it comes back all at
// once, as a mistake.List.
func Load(path string) (*Policy, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse checks a policy that was read from the named file. What is wrong with
// it comes back all at once, as a mistake.List.
func Parse(name string, data []byte) (*Policy, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: %d bytes: a policy has at most %d", name, len(data), maxFile)
	}
	t := defaultTerms()
	s := mistake.DecodeTOML(name, data, &t)
	if s.Malformed() {
		return nil, s.Err()
	}
	return newPolicy(name, t, s, false)
}

// newPolicy completes a Policy from the terms of a sheet.
func newPolicy(name string, t terms, s *mistake.Sheet, demo bool) (*Policy, error) {
	t.sortSets()
	zone := t.loadTimeZone(s)
	t.checkComplete(s)
	t.checkFloors(s, demo)
	if err := s.Err(); err != nil {
		return nil, firstOfEachKey(err)
	}
	p := &Policy{terms: t, name: name, zone: zone, sheet: s, canon: formatCanonical(&t), always: t.openMinutes() == wholeWeek()}
	p.hash = sha256.Sum256(p.canon)
	return p, nil
}

// firstOfEachKey leaves the first mistake of each key: a value that could not be read
// would otherwise be told to be too small as well.
func firstOfEachKey(err error) error {
	var l mistake.List
	if !errors.As(err, &l) {
		return err
	}
	return slices.CompactFunc(l, func(a, b mistake.Mistake) bool { return a.Line == b.Line && a.Key == b.Key })
}

// Name is the file that the policy was read from.
func (p *Policy) Name() string { return p.name }

// Title is what its author calls the policy.
func (p *Policy) Title() string { return p.terms.Title }

// Version is the number by which a later policy is told from an earlier one.
func (p *Policy) Version() int64 { return p.terms.Version }

// Purpose says what the numbers are for.
func (p *Policy) Purpose() Purpose { return p.terms.Purpose }

// Controller is who answers for the counting, and Contact how to reach them.
// Both may be empty: not provided.
func (p *Policy) Controller() string { return p.terms.Controller.Name }

// Contact is how to reach the controller; it may be empty: not provided.
func (p *Policy) Contact() string { return p.terms.Controller.Contact }

// Canonical is the policy in its one canonical form: TOML, every key of it, in
// a fixed order, without comments. Parse reads it back to an equal policy. It
// is what is hashed and signed.
func (p *Policy) Canonical() []byte { return slices.Clone(p.canon) }

// Hash is "sha256:" and the hexadecimal SHA-256 of the canonical form.
func (p *Policy) Hash() string { return hashText(p.hash) }

func hashText(h [sha256.Size]byte) string { return "sha256:" + hex.EncodeToString(h[:]) }

// Window is the length of every window that this policy clears.
func (p *Policy) Window() time.Duration { return time.Duration(p.terms.Clear.Window) }

// Method is how counts are cleared.
func (p *Policy) Method() Method { return p.terms.Clear.Method }

// Epsilon is the privacy loss that one passage over one line, or one presence
// in one zone, can cause; 0 where no noise is added.
func (p *Policy) Epsilon() float64 { return p.terms.Clear.Epsilon }

// Allows reports whether objects of the class may be counted.
func (p *Policy) Allows(c counting.Class) bool {
	return slices.Contains(p.terms.Count.Classes, class(c))
}

// AllowsKind reports whether streams of this kind may be counted.
func (p *Policy) AllowsKind(k counting.Kind) bool {
	return slices.Contains(p.terms.Count.Streams, kind(k))
}

// MaxPixels is the most pixels a delivered picture may have.
func (p *Policy) MaxPixels() int { return p.terms.Camera.Pixels.Area() }

// FollowMax is the longest that an object may be followed; 0 means not at all,
// and then lines cannot be counted.
func (p *Policy) FollowMax() time.Duration { return time.Duration(p.terms.Camera.FollowMax) }

// Masks are the areas of the named camera's picture that must be blackened
// before any detector sees them, over and above the site's own.
func (p *Policy) Masks(camera string) []counting.Polygon {
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

// Open reports whether counting is allowed at the moment at.
func (p *Policy) Open(at time.Time) bool { return p.terms.Hours.Open.Open(at.In(p.zone)) }

// Zone is the time zone of the policy's hours.
func (p *Policy) Zone() *time.Location { return p.zone }

// AlwaysOpen reports whether no hour of the week is closed.
func (p *Policy) AlwaysOpen() bool { return p.always }

// openAll reports whether counting is allowed all the time from start to end.
func (p *Policy) openAll(start, end time.Time) bool {
	for at := start; at.Before(end); at = at.Add(time.Minute) {
		if !p.Open(at) {
			return false
		}
	}
	return p.Open(end.Add(-time.Nanosecond))
}

// Retention is how long a Release may stay on the device.
func (p *Policy) Retention() time.Duration { return time.Duration(p.terms.Keep.Retention) }

// Aiming says what the commissioning page may show, and for how long at most.
func (p *Policy) Aiming() (Show, time.Duration) {
	return p.terms.Aim.Show, time.Duration(p.terms.Aim.Session)
}

// AllowsCommand reports whether the broker may give the command.
func (p *Policy) AllowsCommand(verb string) bool {
	return slices.Contains(p.terms.Broker.Commands, Command(verb))
}
