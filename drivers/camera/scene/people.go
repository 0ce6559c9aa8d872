package scene

import "math"

// drawPerson draws a walker: head, torso, and two-part legs and arms that swing
// with the gait. Small or shadowed figures get fewer parts.
func (p *painter) drawPerson(m *mover) {
	k := m.look.stature
	fore := vec3{m.hx, m.hy, 0}
	left := vec3{-m.hy, m.hx, 0}
	at := vec3{m.x, m.y, 0}
	stride := float64(clamp(m.v/1.4, 0, 1.3) * 0.36 * k)
	swing := sin(m.gait)
	bob := float64(0.025 * k * math.Abs(cos(m.gait)))
	hip := vec3{at.x, at.y, float64(0.9*k) + bob}
	neck := hip.addScaled(fore, 0.04+float64(0.03*stride))
	neck.z += float64(0.5 * k)
	small := p.pixelSize(at, 1.75) < 18 || p.shadowPass && p.pixelSize(at, 1.75) < 30
	for _, side := range [2]float64{-1, 1} {
		p.drawLeg(m, hip.addScaled(left, float64(side*0.09*k)), fore, float64(side*swing), stride, float64(cos(m.gait)*side), small)
	}
	if !small {
		p.drawArm(m, neck, fore, left, -1, float64(swing*stride))
	}
	p.drawTorso(m, hip, neck, left)
	if !small {
		p.drawArm(m, neck, fore, left, 1, -float64(swing*stride))
	}
	head := neck.addScaled(fore, 0.03)
	head.z += float64(0.2 * k)
	p.drawCapsule(m.look.hair, head, head, float64(0.115*k), float64(0.115*k))
	if !p.shadowPass && !small && p.view.eye.sub(head).dot(fore) > 0 { // the face
		face := head.addScaled(fore, 0.04)
		face.z -= 0.04
		p.drawCapsule(m.look.skin, face, face, float64(0.085*k), float64(0.085*k))
	}
	if m.look.umbrella {
		p.drawUmbrella(m, head)
	}
}

// drawTorso draws trunk, coat and bag.
func (p *painter) drawTorso(m *mover, hip, neck, left vec3) {
	k := m.look.stature
	low := hip
	if m.look.coat {
		low.z -= float64(0.32 * k)
	}
	chest := neck
	chest.z -= float64(0.06 * k)
	for _, side := range [2]float64{-1, 1} {
		p.drawCapsule(m.look.body, low.addScaled(left, float64(side*0.06*k)), chest.addScaled(left, float64(side*0.1*k)), float64(0.11*k), float64(0.115*k))
	}
	if m.look.bag && !p.shadowPass {
		b := low.addScaled(left, float64(0.2*k))
		p.drawCapsule(m.look.extra, b.add(vec3{0, 0, 0.05}), b.add(vec3{0, 0, -0.18}), 0.09, 0.11)
	}
}

// drawLeg draws one leg by the phase of the gait, swing -1–1; lift above 0
// raises the foot that comes forward.
func (p *painter) drawLeg(m *mover, hip, fore vec3, swing, stride, lift float64, small bool) {
	k := m.look.stature
	foot := hip.addScaled(fore, float64(swing*stride))
	foot.z = 0.05 + float64(0.12*stride*max(0, lift)/0.36)
	if small {
		p.drawCapsule(m.look.legs, hip, foot, float64(0.08*k), float64(0.06*k))
		return
	}
	knee := hip.add(foot).times(0.5).addScaled(fore, float64(0.06*k)+float64(0.1*stride*max(0, lift)))
	p.drawCapsule(m.look.legs, hip, knee, float64(0.088*k), float64(0.07*k))
	p.drawCapsule(m.look.legs, knee, foot, float64(0.068*k), float64(0.05*k))
	p.drawCapsule(float64(m.look.legs*0.6), foot, foot.addScaled(fore, float64(0.15*k)), 0.05, 0.04)
}

// drawArm draws one arm; swing is in metres at the hand.
func (p *painter) drawArm(m *mover, neck, fore, left vec3, side, swing float64) {
	k := m.look.stature
	shoulder := neck.addScaled(left, float64(side*0.21*k))
	shoulder.z -= float64(0.06 * k)
	elbow := shoulder.addScaled(fore, float64(swing*0.5))
	elbow.z -= float64(0.28 * k)
	hand := shoulder.addScaled(fore, swing+float64(0.1*k))
	hand.z -= float64(0.52 * k)
	p.drawCapsule(float64(m.look.body*0.92), shoulder, elbow, float64(0.06*k), float64(0.05*k))
	p.drawCapsule(float64(m.look.body*0.92), elbow, hand, float64(0.05*k), float64(0.04*k))
	p.drawCapsule(m.look.skin, hand, hand, 0.045, 0.045)
}

// drawUmbrella draws a flat cap, 52 cm in radius, above the head.
func (p *painter) drawUmbrella(m *mover, head vec3) {
	top := head.add(vec3{0, 0, 0.35})
	for _, e := range unitCircle {
		x, y, depth := p.toCanvas(top.add(vec3{float64(0.52 * e[0]), float64(0.52 * e[1]), -0.12}))
		if depth < nearPlane {
			p.n = 0
			return
		}
		p.addVertex(x, y)
	}
	p.setLuma(p.shadeFlat(m.look.extra, vec3{0, 0, 1}))
	p.fillVertices()
}

// drawRider draws a person on a bicycle or a motorcycle.
func (p *painter) drawRider(m *mover) {
	k := m.look.stature
	fore := vec3{0, m.dir, 0}
	left := vec3{-m.dir, 0, 0}
	at := vec3{m.x, m.y, 0}
	motor := m.kind == motorcyclist
	wheel, base := 0.34, 0.53
	if motor {
		wheel, base = 0.31, 0.7
	}
	p.drawTwoWheels(m, at, fore, wheel, base, motor)
	hip := at.addScaled(fore, -0.22)
	hip.z = float64(0.97 * k)
	neck := at.addScaled(fore, 0.18)
	neck.z = float64(1.42 * k)
	if motor {
		hip.z, neck.z = 0.85, 1.32
	}
	for _, side := range [2]float64{-1, 1} {
		turn := m.gait
		if side > 0 {
			turn += 0.5
		}
		foot := at.addScaled(left, float64(side*0.12)).addScaled(fore, float64(0.17*cos(turn)))
		foot.z = 0.3 + float64(0.17*sin(turn))
		if motor {
			foot = at.addScaled(left, float64(side*0.2)).addScaled(fore, -0.1)
			foot.z = 0.32
		}
		h := hip.addScaled(left, float64(side*0.1))
		knee := h.add(foot).times(0.5).addScaled(fore, 0.2)
		p.drawCapsule(m.look.legs, h, knee, 0.09, 0.07)
		p.drawCapsule(m.look.legs, knee, foot, 0.065, 0.05)
		hand := at.addScaled(fore, 0.5).addScaled(left, float64(side*0.26))
		hand.z = 1.02
		p.drawCapsule(m.look.body, neck.addScaled(left, float64(side*0.18)), hand, 0.06, 0.045)
	}
	p.drawCapsule(m.look.body, hip, neck, 0.15, 0.17)
	if m.look.bag {
		b := lerpVec(hip, neck, 0.6).addScaled(fore, -0.2)
		p.drawCapsule(m.look.extra, b.add(vec3{0, 0, -0.12}), b.add(vec3{0, 0, 0.15}), 0.14, 0.13)
	}
	head := neck.addScaled(fore, 0.1)
	head.z += 0.2
	cap := m.look.extra
	if motor {
		p.drawCapsule(m.look.hair, head, head, 0.15, 0.15)
		return
	}
	p.drawCapsule(m.look.skin, head, head, 0.1, 0.1)
	p.drawCapsule(cap, head.add(vec3{0, 0, 0.05}), head.add(vec3{0, 0, 0.06}), 0.105, 0.1)
}

// lerpVec interpolates linearly from a (t = 0) to b (t = 1).
func lerpVec(a, b vec3, t float64) vec3 { return a.addScaled(b.sub(a), t) }

// drawTwoWheels draws two rings of tyre of radius r metres, base metres before
// and behind the middle, and a frame or an engine between them.
func (p *painter) drawTwoWheels(m *mover, at, fore vec3, r, base float64, motor bool) {
	tyre := 0.028
	if motor {
		tyre = 0.07
	}
	part := 1
	if p.shadowPass || p.pixelSize(at, r) < 8 {
		part = 3 // every third point will do
	}
	hub := [2]vec3{at.addScaled(fore, -base), at.addScaled(fore, base)}
	for _, h := range hub {
		h.z = r
		last := h.addScaled(fore, r)
		for i := part - 1; i < len(unitCircle); i += part {
			e := unitCircle[(i+1)%len(unitCircle)]
			next := h.addScaled(fore, float64(r*e[0]))
			next.z += float64(r * e[1])
			p.drawCapsule(25, last, next, tyre, tyre)
			last = next
		}
	}
	back, front := hub[0], hub[1]
	back.z, front.z = r, r
	seat := at.addScaled(fore, -0.2)
	seat.z = 0.85
	bar := at.addScaled(fore, 0.42)
	bar.z = 0.95
	crank := at
	crank.z = 0.3
	if motor {
		body := at
		body.z = 0.55
		p.drawCapsule(m.look.extra, body.addScaled(fore, -0.5).add(vec3{0, 0, 0.2}), body.addScaled(fore, 0.35).add(vec3{0, 0, 0.2}), 0.16, 0.2)
		p.drawCapsule(45, body.addScaled(fore, -0.2), body.addScaled(fore, 0.2), 0.2, 0.18)
		p.drawCapsule(60, front, bar, 0.06, 0.07)
		return
	}
	for _, t := range [5][2]vec3{{crank, seat}, {crank, bar}, {seat, bar}, {back, crank}, {front, bar}} {
		p.drawCapsule(m.look.extra, t[0], t[1], 0.025, 0.025)
	}
}
