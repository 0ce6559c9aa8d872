package policy

import "time"

// maxBlindAiming limits an aiming session where the policy shows no part of
// the picture and therefore gives no length of its own.
const maxBlindAiming = 10 * time.Minute

// AimTerms returns whether an aiming session may show silhouettes, and the
// longest session that the policy allows.
func (p *Policy) AimTerms() (silhouettes bool, longest time.Duration) {
	show, longest := p.AimingLimits()
	if show != ShowSilhouettes {
		return false, maxBlindAiming
	}
	return true, longest
}
