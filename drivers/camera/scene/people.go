package scene

import "math"

// person draws a walker: head, body, two-part legs and arms that swing.
func (p *painter) person(m *mover) {
	k := m.look.stature
	fore := vec{m.hx, m.hy, 0}
	left := vec{-m.hy, m.hx, 0}
	at := vec{m.x, m.y, 0}
	stride := float64(clamp(m.v/1.4, 0, 1.3) * 0.36 * k)
	swing := sin(m.gait)
	bob := float64(0.025 * k * math.Abs(cos(m.gait)))
	hip := vec{at.x, at.y, float64(0.9*k) + bob}
	neck := hip.along(fore, 0.04+float64(0.03*stride))
	neck.z += float64(0.5 * k)
	small := p.pixels(at, 1.75) < 18 || p.onto && p.pixels(at, 1.75) < 30
	for _, side := range [2]float64{-1, 1} {
		p.leg(m, hip.along(left, float64(side*0.09*k)), fore, float64(side*swing), stride, float64(cos(m.gait)*side), small)
	}
	if !small {
		p.arm(m, neck, fore, left, -1, float64(swing*stride))
	}
	p.torso(m, hip, neck, left)
	if !small {
		p.arm(m, neck, fore, left, 1, -float64(swing*stride))
	}
	head := neck.along(fore, 0.03)
	head.z += float64(0.2 * k)
	p.limb(m.look.hair, head, head, float64(0.115*k), float64(0.115*k))
	if !p.onto && !small && p.view.at.sub(head).dot(fore) > 0 { // the face
		face := head.along(fore, 0.04)
		face.z -= 0.04
		p.limb(m.look.skin, face, face, float64(0.085*k), float64(0.085*k))
	}
	if m.look.umbrella {
		p.umbrella(m, head)
	}
}

func (p *painter) torso(m *mover, hip, neck, left vec) {
	k := m.look.stature
	low := hip
	if m.look.coat {
		low.z -= float64(0.32 * k)
	}
	chest := neck
	chest.z -= float64(0.06 * k)
	for _, side := range [2]float64{-1, 1} {
		p.limb(m.look.body, low.along(left, float64(side*0.06*k)), chest.along(left, float64(side*0.1*k)), float64(0.11*k), float64(0.115*k))
	}
	if m.look.bag && !p.onto {
		b := low.along(left, float64(0.2*k))
		p.limb(m.look.extra, b.add(vec{0, 0, 0.05}), b.add(vec{0, 0, -0.18}), 0.09, 0.11)
	}
}

// leg swings by phase; the foot that comes forward is lifted.
func (p *painter) leg(m *mover, hip, fore vec, swing, stride, lift float64, small bool) {
	k := m.look.stature
	foot := hip.along(fore, float64(swing*stride))
	foot.z = 0.05 + float64(0.12*stride*max(0, lift)/0.36)
	if small {
		p.limb(m.look.legs, hip, foot, float64(0.08*k), float64(0.06*k))
		return
	}
	knee := hip.add(foot).times(0.5).along(fore, float64(0.06*k)+float64(0.1*stride*max(0, lift)))
	p.limb(m.look.legs, hip, knee, float64(0.088*k), float64(0.07*k))
	p.limb(m.look.legs, knee, foot, float64(0.068*k), float64(0.05*k))
	p.limb(float64(m.look.legs*0.6), foot, foot.along(fore, float64(0.15*k)), 0.05, 0.04)
}

func (p *painter) arm(m *mover, neck, fore, left vec, side, swing float64) {
	k := m.look.stature
	shoulder := neck.along(left, float64(side*0.21*k))
	shoulder.z -= float64(0.06 * k)
	elbow := shoulder.along(fore, float64(swing*0.5))
	elbow.z -= float64(0.28 * k)
	hand := shoulder.along(fore, swing+float64(0.1*k))
	hand.z -= float64(0.52 * k)
	p.limb(float64(m.look.body*0.92), shoulder, elbow, float64(0.06*k), float64(0.05*k))
	p.limb(float64(m.look.body*0.92), elbow, hand, float64(0.05*k), float64(0.04*k))
	p.limb(m.look.skin, hand, hand, 0.045, 0.045)
}

// umbrella is a flat cap above the head.
func (p *painter) umbrella(m *mover, head vec) {
	top := head.add(vec{0, 0, 0.35})
	for _, e := range circle {
		x, y, depth := p.place(top.add(vec{float64(0.52 * e[0]), float64(0.52 * e[1]), -0.12}))
		if depth < nearest {
			p.n = 0
			return
		}
		p.corner(x, y)
	}
	p.luma(p.shade(m.look.extra, vec{0, 0, 1}))
	p.fill()
}

// rider sits on a bicycle or a motorcycle.
func (p *painter) rider(m *mover) {
	k := m.look.stature
	fore := vec{0, m.dir, 0}
	left := vec{-m.dir, 0, 0}
	at := vec{m.x, m.y, 0}
	motor := m.kind == biker
	wheel, base := 0.34, 0.53
	if motor {
		wheel, base = 0.31, 0.7
	}
	p.twoWheels(m, at, fore, wheel, base, motor)
	hip := at.along(fore, -0.22)
	hip.z = float64(0.97 * k)
	neck := at.along(fore, 0.18)
	neck.z = float64(1.42 * k)
	if motor {
		hip.z, neck.z = 0.85, 1.32
	}
	for _, side := range [2]float64{-1, 1} {
		turn := m.gait
		if side > 0 {
			turn += 0.5
		}
		foot := at.along(left, float64(side*0.12)).along(fore, float64(0.17*cos(turn)))
		foot.z = 0.3 + float64(0.17*sin(turn))
		if motor {
			foot = at.along(left, float64(side*0.2)).along(fore, -0.1)
			foot.z = 0.32
		}
		h := hip.along(left, float64(side*0.1))
		knee := h.add(foot).times(0.5).along(fore, 0.2)
		p.limb(m.look.legs, h, knee, 0.09, 0.07)
		p.limb(m.look.legs, knee, foot, 0.065, 0.05)
		hand := at.along(fore, 0.5).along(left, float64(side*0.26))
		hand.z = 1.02
		p.limb(m.look.body, neck.along(left, float64(side*0.18)), hand, 0.06, 0.045)
	}
	p.limb(m.look.body, hip, neck, 0.15, 0.17)
	if m.look.bag {
		b := lerpVec(hip, neck, 0.6).along(fore, -0.2)
		p.limb(m.look.extra, b.add(vec{0, 0, -0.12}), b.add(vec{0, 0, 0.15}), 0.14, 0.13)
	}
	head := neck.along(fore, 0.1)
	head.z += 0.2
	cap := m.look.extra
	if motor {
		p.limb(m.look.hair, head, head, 0.15, 0.15)
		return
	}
	p.limb(m.look.skin, head, head, 0.1, 0.1)
	p.limb(cap, head.add(vec{0, 0, 0.05}), head.add(vec{0, 0, 0.06}), 0.105, 0.1)
}

func lerpVec(a, b vec, t float64) vec { return a.along(b.sub(a), t) }

// twoWheels are rings of tyre, and a frame or an engine between them.
func (p *painter) twoWheels(m *mover, at, fore vec, r, base float64, motor bool) {
	tyre := 0.028
	if motor {
		tyre = 0.07
	}
	part := 1
	if p.onto || p.pixels(at, r) < 8 {
		part = 3 // every third point will do
	}
	hub := [2]vec{at.along(fore, -base), at.along(fore, base)}
	for _, h := range hub {
		h.z = r
		last := h.along(fore, r)
		for i := part - 1; i < len(circle); i += part {
			e := circle[(i+1)%len(circle)]
			next := h.along(fore, float64(r*e[0]))
			next.z += float64(r * e[1])
			p.limb(25, last, next, tyre, tyre)
			last = next
		}
	}
	back, front := hub[0], hub[1]
	back.z, front.z = r, r
	seat := at.along(fore, -0.2)
	seat.z = 0.85
	bar := at.along(fore, 0.42)
	bar.z = 0.95
	crank := at
	crank.z = 0.3
	if motor {
		body := at
		body.z = 0.55
		p.limb(m.look.extra, body.along(fore, -0.5).add(vec{0, 0, 0.2}), body.along(fore, 0.35).add(vec{0, 0, 0.2}), 0.16, 0.2)
		p.limb(45, body.along(fore, -0.2), body.along(fore, 0.2), 0.2, 0.18)
		p.limb(60, front, bar, 0.06, 0.07)
		return
	}
	for _, t := range [5][2]vec{{crank, seat}, {crank, bar}, {seat, bar}, {back, crank}, {front, bar}} {
		p.limb(m.look.extra, t[0], t[1], 0.025, 0.025)
	}
}
