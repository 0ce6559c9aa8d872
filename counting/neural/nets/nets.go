// Package nets holds the detectors that are part of the binary, kerb's own. Each
// is a .kerb file as `kerb model import` wrote it, embedded by the compiler, so
// a device downloads no network. ../MODEL.md says on which pictures they were
// trained and how well they detect. The package does not decode the files, and
// has no other names than these.
package nets

import "embed"

// The names of the networks, the most accurate first.
const (
	Large  = "street-large" // street at 608 pixels, with more layers, for a Pi 5 and stills
	Street = "street"       // for a Pi 4 and better
	Small  = "street-small" // a fifth of the multiplications, for a Zero 2 W
)

// Names returns the names of the networks, the most accurate first.
func Names() []string { return []string{Large, Street, Small} }

//go:embed street*
var files embed.FS // set by the compiler, read only

// ReadNet returns the .kerb file of the network with that name, or nil where the
// binary has none.
func ReadNet(name string) []byte {
	b, err := files.ReadFile(name + ".kerb")
	if err != nil {
		return nil
	}
	return b
}
