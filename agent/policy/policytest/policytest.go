// Package policytest makes policies for tests.
package policytest

import (
	"testing"

	"kerb/agent/policy"
)

// Daytime is a policy file: people at lines, with noise, on working days from
// seven to seven in Helsinki.
const Daytime = `schema = "kerb.policy/1"
version = 1
title = "daytime"
purpose = "statistical"
count = { streams = ["line"], classes = ["person"] }
camera.follow_max = "30s"
hours = { open = ["Mon-Fri 07:00-19:00"], timezone = "Europe/Helsinki" }
clear = { window = "15m", method = "noise", epsilon = 1, below = 5 }
keep.retention = "24h"
`

// Parse parses a policy file and fails the test where it is refused.
func Parse(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
