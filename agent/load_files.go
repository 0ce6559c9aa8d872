package main

import (
	"errors"
	"fmt"
	"slices"

	"kerb/agent/admission"
	"kerb/agent/config"
	"kerb/agent/filecheck"
	"kerb/agent/model"
	"kerb/agent/policy"
	"kerb/agent/want"
)

// loadFiles is loadOwn of the files under which the device shall run, to which it sets f:
// those that the platform wants, where such are in force, else those in f.
func loadFiles(f *admission.Files) (*config.Site, admission.Decision, error) {
	l, err := want.Load(*f, loadOwn)
	*f = l.Files
	return l.Site, l.Decision, err
}

// loadOwn reads site.toml and policy.toml, decides which policy is in force, and
// checks one file against the other. Its error lists the mistakes of both files.
//
// The policy of the Decision may be the one that was admitted before: a refused
// file is then in Decision.Refused, and the error is nil.
func loadOwn(f admission.Files) (*config.Site, admission.Decision, error) {
	site, err := config.LoadPart(f.Site, f.SiteTextPath())
	if site != nil {
		for _, check := range []func(*config.Site) error{(*config.Site).RejectEmptyPasswords, checkModels, filecheck.CheckLoops} {
			if cerr := check(site); cerr != nil {
				err = cerr
			}
		}
	}
	if err != nil {
		p, perr := policy.Load(f.Policy)
		if perr == nil && site != nil {
			perr = filecheck.FindConflicts(p, site)
		}
		return nil, admission.Decision{}, errors.Join(err, perr)
	}
	d, err := admission.Admit(f.Policy, site)
	if err != nil {
		return nil, d, err
	}
	if err := filecheck.FindConflicts(d.Policy, site); err != nil {
		return nil, d, err
	}
	return site, d, nil
}

// checkModels loads the network file of every camera that names one, each file
// once, and reports the last failure as a mistake in site.toml.
func checkModels(site *config.Site) (err error) {
	var checked []string
	for i, c := range site.Cameras {
		if c.Model == "" || site.HasMistakeIn(fmt.Sprintf("camera[%d]", i)) || slices.Contains(checked, c.Model) {
			continue
		}
		net, lerr := model.LoadCameraNetwork(c)
		if lerr != nil {
			err = site.RejectKey(fmt.Sprintf("camera[%d].model", i), "must be a network that finds street users: "+lerr.Error(), "kerb model FILE tells what a file holds")
			continue
		}
		net.Close()
		checked = append(checked, c.Model)
	}
	return err
}
