package loop

import "time"

// CardFinding says why the edges of a detector card cannot be those of its declared
// mode; it is the N of the event of the fault Card.
type CardFinding uint32

// The findings.
const (
	PulseDeclaredPresence CardFinding = iota + 1 // all on-times are equal and short
	PresenceDeclaredPulse                        // on-times differ, or are longer than a pulse
	CardExtends                                  // all on-times have the same long part
	CardInverted                                 // long on-times with short pauses between them
	PulseTwice                                   // pulses come in pairs, as at entry and at exit
	OneContact                                   // both loops of a lane report the same edges
	LengthsCannotBe                              // speeds are known, and the lengths are none of vehicles
	BackedOut                                    // vehicles leave the loops in the wrong order
)

var cardAdvice = [...]string{
	"",
	`all on-times are equal: set card = "pulse" in [[loop.line]], or the card to presence`,
	`the on-times are not those of pulses: set card = "presence" in [[loop.line]], or the card to pulse`,
	"the card extends its output: switch its extension (delay off) off",
	"the contact is closed while no vehicle is there: set active_high in [[loop.line]] the other way",
	"the card gives a pulse at entry and another at exit: switch one of them off",
	"both loops report the same edges: look at loops in [[loop.lane]] and at the terminals",
	"the lengths are none of vehicles: look at spacing and loop_length in [[loop.lane]], and at the card's extension",
	"vehicles leave the loops in the wrong order: look at loops in [[loop.lane]] and at the terminals",
}

// Advice names in one line the fault and the key or switch to change; "" for an
// unknown finding.
func (f CardFinding) Advice() string {
	if int(f) < len(cardAdvice) {
		return cardAdvice[f]
	}
	return ""
}

// The evidence for a finding. Cards and their times: manuals of RENO, EMX, Nortech,
// 125 ± 25 ms and 250 ms a pulse, extension by 2–10 s. The numbers of vehicles were
// chosen by hand: so many vehicles of one speed and one length do not follow each
// other on a road.
const (
	cardVehicles   = 20                     // on-times in a row
	pulseShortest  = 60 * time.Millisecond  // a card's pulse
	pulseLongest   = 300 * time.Millisecond // the same
	pulseSpread    = 10 * time.Millisecond  // equal on-times differ by less
	pulseJitter    = 60 * time.Millisecond  // pulses of a pulse card differ by less
	tooLongPulse   = 400 * time.Millisecond // no pulse
	tooLongRun     = 3                      // such on-times in a row
	extendShortest = 2 * time.Second        // of an extended output
	extendLongest  = 11 * time.Second       // the same
	extendSpread   = time.Second            // extended on-times differ by less
	invertedPause  = 800 * time.Millisecond // a longer pause is a gap between vehicles
	pairVehicles   = 8                      // vehicles in a row that a pair cannot have measured
	fastVehicle    = 25 / kmh               // m/s: from here on a standing vehicle does not explain a long on-time
	longVehicle    = 25.0                   // m: longer than a road train of Annex I of directive 96/53/EC
)

// cardCheck holds the last on-times of one input, oldest overwritten.
type cardCheck struct {
	on, pause [cardVehicles]time.Duration // pause: the time between this and the vehicle before
	headway   [cardVehicles]time.Duration
	n         int // presences since the start or since one that is unknown
	longRun   int // on-times in a row of at least tooLongPulse, on a pulse card
	lastOn    time.Duration
	lastOff   time.Duration
}

// addPresence adds a presence whose edges were both seen.
func (k *cardCheck) addPresence(on, off time.Duration) {
	i := k.n % cardVehicles
	k.on[i], k.pause[i], k.headway[i] = off-on, on-k.lastOff, on-k.lastOn
	k.lastOn, k.lastOff = on, off
	k.n++
	if k.longRun++; off-on < tooLongPulse {
		k.longRun = 0
	}
}

// bounds are the smallest and the largest of the last cardVehicles values.
func bounds(v *[cardVehicles]time.Duration) (least, most time.Duration) {
	least, most = v[0], v[0]
	for _, d := range v[1:] {
		least, most = min(least, d), max(most, d)
	}
	return least, most
}

// find is what the last on-times show; 0 where they fit the card.
func (k *cardCheck) find(card Card) CardFinding {
	if card == Pulse && k.longRun >= tooLongRun {
		return PresenceDeclaredPulse
	}
	if k.n <= cardVehicles { // the first has no pause before it
		return 0
	}
	least, most := bounds(&k.on)
	_, longestPause := bounds(&k.pause)
	switch {
	case card == Pulse && most-least > pulseJitter:
		return PresenceDeclaredPulse
	case card == Pulse && k.comesInPairs():
		return PulseTwice
	case card == Pulse:
		return 0
	case least >= pulseShortest && most <= pulseLongest && most-least <= pulseSpread:
		return PulseDeclaredPresence
	case longestPause < invertedPause && least > extendShortest:
		return CardInverted
	case least >= extendShortest && most <= extendLongest && most-least <= extendSpread:
		return CardExtends
	}
	return 0
}

// comesInPairs reports whether short and long headways alternate throughout.
func (k *cardCheck) comesInPairs() bool {
	for first := range 2 {
		pairs := true
		for i := first; i+1 < cardVehicles && pairs; i += 2 {
			pairs = k.headway[(k.n+i)%cardVehicles] < k.headway[(k.n+i+1)%cardVehicles]/2
		}
		if pairs {
			return true
		}
	}
	return false
}

// checkCard adds a presence to the input's check, and raises or clears Card.
func (c *Counter) checkCard(in *input, on, off time.Duration) {
	in.cardCheck.addPresence(on, off)
	if !c.limits.Card {
		return
	}
	if f := in.cardCheck.find(in.card); f != 0 {
		c.raiseFault(in, CardMode, off, uint32(f))
	} else if in.cardCheck.n%cardVehicles == 0 {
		c.clearFault(in, CardMode, off)
	}
}

// checkPair counts what a pair of loops has measured of a vehicle that cannot be, and
// raises CardMode on both loops after pairVehicles of one kind in a row. It reports
// whether the vehicle is none: it backed out.
func (l *lane) checkPair(c *Counter, f, s presence, speed, length float64) (none bool) {
	if l.pulse || f.blurred || s.blurred || !c.limits.Card {
		return false
	}
	var found CardFinding
	switch t := s.on - f.on; {
	case t.Seconds()*maxPairSpeed < l.Spacing && absolute(s.off-f.off) <= c.limits.Settle+pulseSpread:
		found = OneContact
	case s.off < f.off && f.off-s.off > c.limits.Settle:
		found, none = BackedOut, true
	case speed >= fastVehicle && (length == 0 || length > longVehicle):
		found = LengthsCannotBe
	}
	if found == 0 || found != l.oddPair {
		l.oddPairs = 0
	}
	if l.oddPair = found; found == 0 {
		return false
	}
	if l.oddPairs++; l.oddPairs >= pairVehicles {
		for _, n := range l.inputs {
			c.raiseFault(&c.inputs[n], CardMode, max(f.off, s.off), uint32(found))
		}
	}
	return none
}

// absolute is d without its sign.
func absolute(d time.Duration) time.Duration { return max(d, -d) }

// The pause within which a card that lets go under one vehicle takes it for two. A
// vehicle behind another one leaves a loop of 2 m free for longer, unless it follows
// at more than 48 km/h with less than a third of a second between them.
const letGoSpeed = 48 / kmh // m/s

// letGo is the longest pause between two presences that are one vehicle, at most
// longest. Where the loop's length is not declared, it is longest.
func (l *lane) letGo(longest time.Duration) time.Duration {
	switch {
	case l.pulse:
		return 0
	case l.LoopLength == 0:
		return longest
	}
	return min(time.Duration(l.LoopLength/letGoSpeed*float64(time.Second)), longest)
}
