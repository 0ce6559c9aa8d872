//go:build !amd64 && !arm64

package kernel

// Sets returns the kernels that this processor can run: plain Go.
func Sets() []*Set { return []*Set{portableSet()} }
