package health

// edgeSums are the sums of sumEdges in four lanes each.
type edgeSums struct{ faint, edges, across, along, rising [4]int32 }

// sumEdges is addEdgesPortable without masks, in SSE2 (edges_amd64.s), on so many rows, step
// bytes apart, of n columns at mid; bounds are least-1 and half-1. It reads up to seven
// columns more.
//
//go:noescape
func sumEdges(sums *edgeSums, mid *byte, w, step, n, rows int, least, half int32)

// addEdges adds the edges of every second row, rows in all. It returns false where it
// would have to read behind the picture.
func (c *cell) addEdges(now []byte, w, first, n, rows int, least, half int32) bool {
	if rows <= 0 || half <= 0 || first+(rows-1)*rowStep*w+w+(n+7)&^7+1 > len(now) {
		return false
	}
	_ = now[first-w]
	var s edgeSums
	sumEdges(&s, &now[first], w, rowStep*w, n, rows, least-1, half-1)
	for i := range 4 {
		c.faint += s.faint[i]
		c.edges += s.edges[i]
		c.across += s.across[i]
		c.along += s.along[i]
		c.rising += s.rising[i]
	}
	return true
}
