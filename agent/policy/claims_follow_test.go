package policy_test

import (
	"context"
	"errors"
	"io"
	"time"

	"kerb/counting"
	"kerb/counting/vision"
)

// lingerer is a film of one who goes through a line, stays a hand's breadth behind it,
// going up and down, and leaves for good at a time: a crossing by then, if it is still
// followed.
type lingerer struct {
	leaves time.Duration
	looks  int
}

const (
	filmWidth, filmHeight = 160, 120
	filmStep              = time.Second / 10
)

// ReadInto draws the next picture.
func (f *lingerer) ReadInto(_ context.Context, dst []byte) (time.Time, error) {
	t := time.Duration(f.looks) * filmStep
	if f.looks++; t > f.leaves+8*time.Second {
		return time.Time{}, io.EOF
	}
	for i := range dst {
		dst[i] = uint8(110 + (i*7919>>4)%11)
	}
	const speed, slow, line, behind = 14.0, 3.0, filmWidth / 2, 1.5 // pixels a second, pixels
	x, y := 20+speed*t.Seconds(), 30.0
	if near := line - 8.0; x > near {
		x = min(near+(x-near)*slow/speed, line+behind)
		phase := t % (4 * time.Second)
		y += 8 * min(phase, 4*time.Second-phase).Seconds()
	}
	if t > f.leaves {
		x += speed * (t - f.leaves).Seconds()
	}
	for v := int(y); v < int(y)+44; v++ {
		for u := int(x) - 7; u < min(int(x)+8, filmWidth); u++ {
			dst[v*filmWidth+u] = uint8(40 + 8*(v/5&1))
		}
	}
	return time.Unix(0, 0).Add(t), nil
}

// isFollowed reports whether one who leaves after a time is still the same for a camera that
// may follow for a time: then the crossing counts. At a time, if there is one, another
// camera goes on.
func isFollowed(w *world, follow, leaves, other time.Duration) bool {
	film, n := &lingerer{leaves: leaves}, 0
	line := counting.Line{ID: "s", From: counting.Point{X: 0.5, Y: 0}, To: counting.Point{X: 0.5, Y: 1}}
	begin := func() *vision.Counter {
		c, err := vision.New(film, vision.Opts{Width: filmWidth, Height: filmHeight, Lines: []counting.Line{line}, FollowMax: follow, Workers: 1})
		if err != nil {
			w.t.Fatal(err)
		}
		return c
	}
	c := begin()
	defer func() { c.Close() }()
	for {
		if other > 0 && time.Duration(film.looks)*filmStep == other {
			n += len(c.Finish())
			c.Close()
			c = begin()
		}
		s, err := c.Step(w.t.Context())
		if errors.Is(err, io.EOF) {
			return n+len(c.Finish()) > 0
		}
		if err != nil {
			w.t.Fatal(err)
		}
		n += len(s.Crossings)
	}
}

// followed caches the results of followsFor by the terms of the policy and the claim.
var followed = map[[2]time.Duration]bool{}

// followsFor reports whether a camera under the policy takes one for the same for so long,
// to three seconds, and no longer. It looks at several times, as half of a new object can
// seem to go through the line.
func followsFor(w *world, claimed time.Duration) bool {
	const margin = 3 * time.Second
	key := [2]time.Duration{w.p.FollowMax(), claimed}
	holds, known := followed[key]
	if !known {
		holds = !isFollowed(w, w.p.FollowMax(), claimed+margin, 0)
		for _, t := range []time.Duration{claimed - margin, claimed * 17 / 20, claimed * 21 / 40} {
			holds = holds && isFollowed(w, w.p.FollowMax(), t, 0)
		}
		followed[key] = holds
	}
	return holds
}

// strangers: to another camera, the same one is a new one.
var strangers = fact{find: func(w *world) bool {
	return isFollowed(w, time.Minute, 14*time.Second, 0) && !isFollowed(w, time.Minute, 14*time.Second, 10*time.Second)
}}

func init() {
	judge("follows", func(w *world, v values) bool { return strangers.once(w) && followsFor(w, v["for"].(time.Duration)) })
	judge("followsNobody", func(w *world, _ values) bool {
		c, err := vision.New(&lingerer{}, vision.Opts{Width: filmWidth, Height: filmHeight, Lines: []counting.Line{{ID: "s", To: counting.Point{Y: 1}}}, FollowMax: w.p.FollowMax()})
		if err == nil {
			c.Close()
		}
		return err != nil && !w.p.AllowsKind(counting.LineStream)
	})
}
