package vision

import (
	"math"
	"time"

	"kerb/counting"
)

// Following what a network detects: a constant-velocity filter per object and
// assignment by overlap, sure detections first and doubtful ones second, after
// SORT (Bewley et al. 2016) and ByteTrack (Zhang et al. 2022). Geometry alone.
const (
	doubtful  = 0.10 // from here a detection may continue a track
	sure      = 0.30 // from here it is assigned first and counts as present
	beginning = 0.40 // from here it begins a track
	coast     = 1200 * time.Millisecond
	young     = 3 // detections until a track is believed
)

// track is an object that a network saw more than once.
type track struct {
	live         bool
	cx, by, w, h filter // ground centre and size
	born, seen   time.Duration
	hits         int
	votes        [counting.Classes]float64
	path         point
	pathAt       time.Duration
	gates        []gate
	over         []bool // it has crossed the line before
	taken        bool
}

// filter is an alpha-beta filter: a Kalman filter in its steady state.
type filter struct{ x, v float64 }

func (f *filter) predict(dt float64) { f.x += f.v * dt }

func (f *filter) correct(z, dt, alpha, beta float64) {
	r := z - f.x
	f.x += alpha * r
	if dt > 0 {
		f.v += beta * r / dt
	}
}

func (t *track) box() box {
	return box{t.cx.x - t.w.x/2, t.by.x - t.h.x, t.cx.x + t.w.x/2, t.by.x}
}

func (t *track) class() (c counting.Class) {
	for k, v := range t.votes {
		if v > t.votes[c] {
			c = counting.Class(k)
		}
	}
	return c
}

// maxTracks bounds a picture; what comes beyond is not followed.
const maxTracks = 128

// tracker follows the detections of one camera.
type tracker struct {
	lines  []segment
	tracks [maxTracks]track
}

func newTracker(lines []segment) *tracker {
	t := &tracker{lines: lines}
	for i := range t.tracks {
		t.tracks[i].gates = make([]gate, len(lines))
		t.tracks[i].over = make([]bool, len(lines))
	}
	return t
}

// step continues the tracks with what was seen at now, dt seconds after the
// last look, and hands out what crossed a line.
func (t *tracker) step(seen []detection, now time.Duration, dt float64, longest time.Duration, emit func(line int, c counting.Class, d counting.Direction, at time.Duration)) {
	for i := range t.tracks {
		k := &t.tracks[i]
		k.taken = false
		for _, f := range []*filter{&k.cx, &k.by} {
			f.predict(dt)
		}
	}
	t.assign(seen, sure, 2, now, dt)
	t.assign(seen, doubtful, sure, now, dt)
	for i := range seen {
		if seen[i].score >= beginning && !t.covered(seen[i]) {
			t.begin(seen[i], now)
		}
		// A detection is marked as used by a negative score.
		seen[i].score = math.Abs(seen[i].score)
	}
	t.cross(now, emit)
	for i := range t.tracks {
		k := &t.tracks[i]
		if k.live && (now-k.seen > coast || k.hits < young && now-k.seen > coast/2 || now-k.born > longest) {
			k.live = false
		}
	}
}

// assign pairs tracks with detections of a score in [from, below), the best
// fit first.
func (t *tracker) assign(seen []detection, from, below float64, now time.Duration, dt float64) {
	for {
		best, bi, bj := 0.0, -1, -1
		for i := range t.tracks {
			k := &t.tracks[i]
			if !k.live || k.taken {
				continue
			}
			for j := range seen {
				if d := &seen[j]; d.score >= from && d.score < below {
					if f := k.fit(d); f > best {
						best, bi, bj = f, i, j
					}
				}
			}
		}
		if bi < 0 {
			return
		}
		t.tracks[bi].take(&seen[bj], now, dt)
		seen[bj].score *= -1
	}
}

// fit is how well a detection continues the track: above 0 if it may, by
// overlap first and by nearness of the ground points where nothing overlaps.
func (k *track) fit(d *detection) float64 {
	b := k.box()
	if k.class().Coarse() != d.class.Coarse() && !kin(k.class(), d.class) && b.iou(d.box) < 0.5 {
		return 0
	}
	if v := b.iou(d.box); v > 0.1 {
		return 1 + v
	}
	g, p := b.ground(), d.box.ground()
	reach := 0.8 * max(b.h(), d.box.h())
	if k.hits >= young {
		reach *= 0.5
	}
	size := max(d.box.h(), b.h()) / max(min(d.box.h(), b.h()), 1)
	if size > 2 {
		return 0
	}
	return 1 - math.Hypot(g.x-p.x, g.y-p.y)/reach
}

func (k *track) take(d *detection, now time.Duration, dt float64) {
	gap := max((now - k.seen).Seconds(), dt)
	alpha, beta := gains(k.hits+1, gap)
	g := d.box.ground()
	k.cx.correct(g.x, gap, alpha, beta)
	k.by.correct(g.y, gap, alpha, beta)
	k.w.correct(d.box.w(), 0, alpha, 0)
	k.h.correct(d.box.h(), 0, alpha, 0)
	k.votes[d.class] += d.score
	k.seen = now
	k.hits++
	k.taken = true
}

// memory is how long a detection matters for where an object is said to be:
// long against the jitter of boxes, short against a step or a turn.
const memory = 0.12 // seconds

// gains are those of an alpha-beta filter: least squares over the first n
// looks, then fading memory (Brookner 1998, §1.2.10).
func gains(n int, dt float64) (alpha, beta float64) {
	k := float64(n)
	alpha = max(1-math.Exp(-dt/memory), 2*(2*k-1)/(k*(k+1)))
	beta = max(alpha*alpha/(2-alpha), 6/(k*(k+1)))
	return min(alpha, 1), min(beta, 1)
}

// covered reports whether a detection is most likely another opinion of what
// is followed already.
func (t *tracker) covered(d detection) bool {
	for i := range t.tracks {
		if k := &t.tracks[i]; k.live && k.taken && kin(k.class(), d.class) && k.box().iou(d.box) > sameThing {
			return true
		}
	}
	return false
}

func (t *tracker) begin(d detection, now time.Duration) {
	for i := range t.tracks {
		k := &t.tracks[i]
		if k.live {
			continue
		}
		g := d.box.ground()
		gates, over := k.gates, k.over
		clear(gates)
		clear(over)
		*k = track{live: true, born: now, seen: now, hits: 1, path: g, pathAt: now, gates: gates, over: over, taken: true}
		k.cx.x, k.by.x, k.w.x, k.h.x = g.x, g.y, d.box.w(), d.box.h()
		k.votes[d.class] = d.score
		return
	}
}

// cross moves every believed track's ground point over the lines.
func (t *tracker) cross(now time.Duration, emit func(line int, c counting.Class, d counting.Direction, at time.Duration)) {
	for i := range t.tracks {
		k := &t.tracks[i]
		if !k.live || !k.taken || k.hits < young {
			continue
		}
		p := k.box().ground()
		for l := range t.lines {
			dead := 0.1 * k.h.x
			if k.over[l] {
				dead = 0.35 * k.h.x
			}
			if k.pathAt == k.born {
				k.gates[l].move(&t.lines[l], k.path, k.path, k.born, k.born, dead)
			}
			if d, ok := k.gates[l].move(&t.lines[l], k.path, p, k.pathAt, now, dead); ok {
				emit(l, k.class(), d, k.gates[l].at)
				k.over[l] = true
			}
		}
		k.path, k.pathAt = p, now
	}
}
