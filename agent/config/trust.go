package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"aead.dev/minisign"
)

// Trust is the proof that the device asks for before it accepts a policy. It is
// in the engineer's file, because it belongs to the device: the authors of
// policies must not be able to appoint themselves.
type Trust struct {
	Mode string // open, signed or two-person; empty: open
	Keys []minisign.PublicKey
}

type trustFile struct {
	Mode string   `toml:"mode"`
	Keys []string `toml:"keys"`
}

var trustModes = []string{"open", "signed", "two-person"}

// checkTrust checks the table and reads the keys that are in files.
func (c checker) checkTrust(t trustFile) Trust {
	out := Trust{Mode: t.Mode}
	if c.HasKey("trust.mode") && !slices.Contains(trustModes, t.Mode) {
		c.Reject("trust.mode", "must be one of "+strings.Join(trustModes, ", "), "open takes any policy, and state says so")
	}
	for i, text := range t.Keys {
		k, err := c.readKey(text)
		if err != nil {
			c.Reject("trust.keys", fmt.Sprintf("member %d must be a minisign public key, or a file with one", i+1), err.Error())
			continue
		}
		out.Keys = append(out.Keys, k)
	}
	if need := slices.Index(trustModes, t.Mode); need > 0 && len(t.Keys) < need {
		c.Reject("trust.keys", fmt.Sprintf("must name %d or more: mode %s wants as many people", need, t.Mode),
			"minisign -G makes a key; its public half is one line that begins with RW")
	}
	return out
}

// readKey parses a minisign public key, or reads it from the file that text
// names.
func (c checker) readKey(text string) (k minisign.PublicKey, err error) {
	if k.UnmarshalText([]byte(text)) == nil {
		return k, nil
	}
	if c.elsewhere {
		return k, errors.New("for another machine it must be written out: one line that begins with RW")
	}
	b, err := os.ReadFile(resolvePath(c.dir, text))
	if err != nil {
		return k, fmt.Errorf("looked for %s", resolvePath(c.dir, text))
	}
	if err := k.UnmarshalText(b); err != nil {
		return k, fmt.Errorf("%s holds something else", resolvePath(c.dir, text))
	}
	return k, nil
}
