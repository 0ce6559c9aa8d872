package uplink

import (
	"crypto/rand"
	"time"
)

// nonceLife is how long the nonces of commands stay the newest. The one before is
// still valid, so a command may be on its way for an hour at least and two at most.
// Chosen by hand.
const nonceLife = time.Hour

// commandNonces makes the nonces that a command may carry instead of an expiry. A
// device on a closed network without a time server cannot judge an expiry; it can
// tell a nonce, in the state message and in every answer, and judge by its monotonic
// clock how long ago that was.
//
// A recorded command cannot be replayed later: a nonce has 128 random bits, is valid
// for two hours at most, and no run of the program knows those of another. Within
// its validity a replay changes nothing, as with an expiry: both verbs are
// idempotent. A nonce is no password. Who may send commands is the broker's to
// decide.
type commandNonces struct {
	newest, before string
	madeAt         time.Time // of newest, by the monotonic clock; zero: none made
}

// current returns the newest nonce.
func (n *commandNonces) current(now time.Time) string {
	switch age := now.Sub(n.madeAt); {
	case n.madeAt.IsZero() || age >= 2*nonceLife:
		n.newest, n.before, n.madeAt = rand.Text(), "", now
	case age >= nonceLife:
		n.newest, n.before, n.madeAt = rand.Text(), n.newest, now
	}
	return n.newest
}

// isValid reports whether s is one of the valid nonces.
func (n *commandNonces) isValid(s string, now time.Time) bool {
	newest := n.current(now)
	return s != "" && (s == newest || s == n.before)
}
