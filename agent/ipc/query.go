package ipc

import "fmt"

// The questions of a Query.
const (
	QueryStatus  = iota + 1 // the condition of the agent, with the last Count windows
	QueryWindows            // Count stored windows after place After, oldest first
	QueryLog                // the last lines of the log
	QueryHistory            // the stored windows of the last 72 hours, added up
	QueryRefused            // nothing: it tells that the policy refused the status page, for the audit log
	queries
)

// MaxQueryCount is the greatest number of windows in one answer.
const MaxQueryCount = 100

// Query asks a running agent for its condition, over the status socket. The
// supervisor passes it on to the uplink. Package status encodes the answers.
type Query struct {
	N     uint64 // number; to the uplink only, whose answer repeats it
	What  uint8  // one of the questions above
	Count uint16 // of windows, at most MaxQueryCount
	After uint64 // place in the spool; 0: from the oldest
}

func (*Query) recordKind() byte { return 24 }

func (q *Query) walkFields(p *cursor) {
	walk64(p, &q.N, &q.After)
	p.walkUint8(&q.What)
	p.walkUint16(&q.Count)
}

func (q *Query) checkRanges() error {
	if q.What < QueryStatus || q.What >= queries || q.Count > MaxQueryCount {
		return fmt.Errorf("question %d for %d windows", q.What, q.Count)
	}
	return nil
}
