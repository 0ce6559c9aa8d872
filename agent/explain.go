package main

import (
	"kerb/agent/policy"
)

type explain struct {
	Lang   string `help:"In which language: ${enum}." enum:"en,fi" default:"en"`
	Policy string `arg:"" name:"POLICY" help:"The policy file."`
}

func (e *explain) Run(t terminal) error {
	p, err := policy.Load(e.Policy)
	if err != nil {
		return err
	}
	lang, err := policy.ParseLanguage(e.Lang)
	if err != nil {
		return err
	}
	return p.Explain(t.out, lang)
}
