// Package filecheck judges a site.toml by the counter that will count and by a policy.toml:
// the checks that kerb check, kerb run at its start, the files that a platform wants and
// kerb fleet have in common.
//
// It refuses a site whose lanes the counter would refuse, or which asks for more than the
// policy allows, each with the line; and of a folder for many devices each file. It reads no
// network of a camera, which would reach pictures, and opens no connection.
package filecheck

import (
	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/source"
)

// ParseElsewhere checks the text of a site.toml for another machine, against p where that
// is not nil: as kerb check does there, but for the files that the text names, which are on
// that machine. Its error lists the mistakes.
func ParseElsewhere(name string, text []byte, p *policy.Policy) (*config.Site, error) {
	site, err := config.ParseElsewhere(name, text)
	if err == nil {
		err = CheckLoops(site)
	}
	if err == nil && p != nil {
		err = FindConflicts(p, site)
	}
	if err != nil {
		return nil, err
	}
	return site, nil
}

// FindConflicts returns the requests of the site that the policy does not allow, or nil.
func FindConflicts(p *policy.Policy, site *config.Site) error {
	if cs := p.CheckSite(admission.SiteRequests(site)); len(cs) > 0 {
		return admission.ConflictError(cs)
	}
	return nil
}

// CheckLoops validates the loops with the checks of the counter that will count
// them, and reports a failure as a mistake in site.toml.
func CheckLoops(site *config.Site) error {
	if len(site.Loops.Lanes) == 0 || site.HasMistakeIn("loop") {
		return nil
	}
	if err := source.LoopOpts(site.Loops, nil).Validate(); err != nil {
		return site.RejectKey("loop", "cannot be counted: "+err.Error(), "mend the lane that it names")
	}
	return nil
}
