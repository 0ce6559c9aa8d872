package main

import (
	"kerb/agent/policy"
	"kerb/agent/terminal"
)

// explainCmd is kerb explain: it prints a policy in plain English or Finnish, its
// canonical form, or the differences of two.
type explainCmd struct {
	Lang      string   `help:"In which language: ${enum}." enum:"en,fi" default:"en"`
	Diff      bool     `help:"What the second of two policies makes looser, stricter or otherwise different."`
	Canonical bool     `help:"The canonical form: the bytes that are hashed and signed."`
	Policies  []string `arg:"" name:"POLICY" help:"The policy file; with -diff, the old one and the new one."`
}

// Help is the long help: how a policy is signed.
func (e *explainCmd) Help() string {
	return `To sign a policy, sign its canonical form with minisign and put the signature beside the policy:

  kerb explain -canonical policy.toml >canonical.toml
  minisign -S -s anna.key -m canonical.toml -x policy.toml.minisig

The second signature, where one is wanted, goes into policy.toml.2.minisig.`
}

// Run reads the policies and writes the output that the flags ask for.
func (e *explainCmd) Run(t terminal.Terminal) error {
	want := 1
	if e.Diff {
		want = 2
	}
	if len(e.Policies) != want || e.Diff && e.Canonical {
		return terminal.UsageError("explain takes one POLICY, -canonical POLICY, or -diff OLD NEW")
	}
	lang, err := policy.ParseLanguage(e.Lang)
	if err != nil {
		return err
	}
	var ps []*policy.Policy
	for _, path := range e.Policies {
		p, err := policy.Load(path)
		if err != nil {
			return err
		}
		ps = append(ps, p)
	}
	switch {
	case e.Diff:
		return policy.ExplainDiff(t.Out, ps[0], ps[1], lang)
	case e.Canonical:
		_, err := t.Out.Write(ps[0].Canonical())
		return err
	}
	return ps[0].Explain(t.Out, lang)
}
