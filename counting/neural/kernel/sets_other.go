//go:build !amd64 && !arm64

package kernel

// Sets lists what this processor can run, best first.
func Sets() []*Set { return []*Set{Portable()} }
