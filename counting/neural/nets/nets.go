// Package nets holds the detectors that are part of the binary, kerb's own. Each
// is a .kerb file as `kerb model import` wrote it, embedded by the compiler, so
// a device downloads no network. ../MODEL.md says on which pictures they were
// trained and how well they detect. The package does not decode the files, and
// has no other names than these.
package nets

import _ "embed"

// The names of the networks, the most accurate first.
const (
	Large  = "street-large" // street at 608 pixels, with more layers, for a Pi 5 and stills
	Street = "street"       // for a Pi 4 and better
	Small  = "street-small" // a fifth of the multiplications, for a Zero 2 W
)

// Names returns the names of the networks, the most accurate first.
func Names() []string { return []string{Large, Street, Small} }

// The files lie in the binary's own mapping: a process that reads one has no copy of it.
// Set by the compiler, read only.
var (
	//go:embed street-large.kerb
	large []byte
	//go:embed street.kerb
	street []byte
	//go:embed street-small.kerb
	small []byte
)

// ReadNet returns the .kerb file of the network with that name, or nil for another name.
// The bytes must not be changed.
func ReadNet(name string) []byte {
	switch name {
	case Large:
		return large
	case Street:
		return street
	case Small:
		return small
	}
	return nil
}
