// Package nets holds the networks that are part of the binary: kerb's own,
// each a .kerb file as `kerb model import` wrote it. There is nothing to
// download and nothing to configure; what they were trained on and how well
// they see is in ../MODEL.md.
package nets

import "embed"

// The names of the networks, the most careful one first.
const (
	Street = "street"       // for a Pi 4 and better
	Small  = "street-small" // a fifth of the work, for a Zero 2 W
)

// All are the names of the networks, the most careful one first.
func All() []string { return []string{Street, Small} }

//go:embed street*
var files embed.FS // filled by the compiler, never written

// Read gives the .kerb file of that name, or nil where the binary was built
// without it.
func Read(name string) []byte {
	b, err := files.ReadFile(name + ".kerb")
	if err != nil {
		return nil
	}
	return b
}
