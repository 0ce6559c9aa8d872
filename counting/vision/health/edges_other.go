//go:build !amd64

package health

// addEdges has no kernel on this processor.
func (c *cell) addEdges([]byte, int, int, int, int, int32, int32) bool { return false }
