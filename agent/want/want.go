// Package want reads, signs and keeps the files that a platform wants a device to run
// under: a policy, a site.toml, or both, in one retained message on …/want.
//
// A [Message] names one device and a version. People sign its [Message.Statement] with
// minisign, and the policy in it as they sign a policy on a card. [Examine] judges a
// message on the device. A [Record] keeps which message is in force, which one is on
// trial, and how the last one ended.
//
// It refuses messages for another device, of a version that was seen before, with too
// few signatures by keys that the device's own site.toml trusts, and every change of
// those keys, of the device's names and of its state directory. It reaches no network:
// the uplink process receives the bytes, and the supervisor examines them in a process
// of its own.
package want

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"aead.dev/minisign"

	"kerb/agent/policy"
)

// Schema is the schema of a message.
const Schema = "kerb.want/1"

// MaxBytes bounds a message: two files of usual length with signatures have about
// 10 kB. Chosen by hand.
const MaxBytes = 64 << 10

// The bounds of a trial. The shortest lets cameras open and the broker answer; the
// longest ends on the next day. Chosen by hand.
const (
	MinTrial     = time.Minute
	DefaultTrial = 10 * time.Minute
	MaxTrial     = 24 * time.Hour
)

// Message is what a platform wants, schema kerb.want/1. One of PolicyText and SiteText
// may be empty: the file that an engineer wrote on the device then counts.
type Message struct {
	Schema  string `json:"schema"`
	Tenant  string `json:"tenant"`
	Site    string `json:"site"`
	Device  string `json:"device"`
	Version int64  `json:"version"` // of the wanted files; from 1 on, and higher with each message
	TrialS  int    `json:"trial_s"` // seconds; 0: DefaultTrial

	PolicyText       string   `json:"policy_toml,omitempty"`
	PolicySignatures []string `json:"policy_minisigs,omitempty"` // minisign's, of the policy's canonical form
	SiteText         string   `json:"site_toml,omitempty"`
	Signatures       []string `json:"minisigs"` // minisign's, of Statement
}

// Parse decodes a message and checks its members, without device and keys. The error
// names the member that is wrong.
func Parse(b []byte) (*Message, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("longer than %d bytes", MaxBytes)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	m := &Message{}
	if err := d.Decode(m); err != nil || d.More() {
		return nil, errors.New("must be one JSON object of schema " + Schema + " with no other members")
	}
	return m, m.check()
}

// check returns an error for a member that is missing or out of its range.
func (m *Message) check() error {
	switch {
	case m.Schema != Schema:
		return errors.New("schema: must be " + Schema)
	case m.Version < 1:
		return errors.New("version: must be a whole number from 1 on")
	case m.TrialS != 0 && (m.Trial() < MinTrial || m.Trial() > MaxTrial):
		return fmt.Errorf("trial_s: must be 0 or %.0f–%.0f", MinTrial.Seconds(), MaxTrial.Seconds())
	case m.PolicyText == "" && m.SiteText == "":
		return errors.New("policy_toml and site_toml are missing: one at least must be there")
	case m.PolicyText == "" && len(m.PolicySignatures) > 0:
		return errors.New("policy_minisigs: there is no policy_toml")
	case len(m.PolicySignatures) > maxSignatures || len(m.Signatures) > maxSignatures:
		return fmt.Errorf("at most %d signatures of each kind", maxSignatures)
	}
	return nil
}

// maxSignatures is the number of people who may sign: a policy file has as many
// signature files beside it.
const maxSignatures = 2

// Trial returns for how long the files are tried.
func (m *Message) Trial() time.Duration {
	if m.TrialS == 0 {
		return DefaultTrial
	}
	return time.Duration(m.TrialS) * time.Second
}

// Address returns the names of the device that the message is for, as in its topics.
func (m *Message) Address() string { return m.Tenant + "/" + m.Site + "/" + m.Device }

// Statement returns the text that people sign: six lines which name the schema, the
// device, the version, the trial in seconds and the SHA-256 of both files' bytes, "-"
// for a file that is not there.
func (m *Message) Statement() []byte {
	return fmt.Appendf(nil, "%s\ndevice %s\nversion %d\ntrial %.0f\npolicy %s\nsite %s\n",
		Schema, m.Address(), m.Version, m.Trial().Seconds(), hashText(m.PolicyText), hashText(m.SiteText))
}

// Sign adds the signature of key over Statement and, where there is a policy, over its
// canonical form. It is an error where that key has signed before, two have, or the
// policy has mistakes.
func (m *Message) Sign(key minisign.PrivateKey) error {
	trusted := fmt.Sprintf("timestamp:0\tkerb want %s version %d", m.Address(), m.Version)
	for _, s := range m.Signatures {
		var old minisign.Signature
		if old.UnmarshalText([]byte(s)) == nil && old.KeyID == key.ID() {
			return fmt.Errorf("key %016X has signed it already", key.ID())
		}
	}
	if len(m.Signatures) == maxSignatures {
		return fmt.Errorf("%d people have signed it already", maxSignatures)
	}
	if m.PolicyText != "" {
		p, err := policy.Parse("policy.toml", []byte(m.PolicyText))
		if err != nil {
			return err
		}
		m.PolicySignatures = append(m.PolicySignatures, string(minisign.SignWithComments(key, p.Canonical(), trusted, signatureComment)))
	}
	m.Signatures = append(m.Signatures, string(minisign.SignWithComments(key, m.Statement(), trusted, signatureComment)))
	return nil
}

// signatureComment is the untrusted comment of each signature.
const signatureComment = "signature by kerb fleet"

// signatureBytes returns signatures as package policy takes them.
func signatureBytes(signatures []string) (all [][]byte) {
	for _, s := range signatures {
		all = append(all, []byte(strings.TrimSpace(s)+"\n"))
	}
	return all
}
