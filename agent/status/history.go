package status

import "kerb/agent/ipc"

// HistorySpan is the time that a History looks back, in seconds: 72 hours. A policy with
// a shorter retention leaves less of it.
const HistorySpan = 72 * 60 * 60

// History is what the spool still holds of the last 72 hours, added up in slots of
// equal length. It is made of released windows alone. Its size is bounded: the more
// series there are, the longer are the slots.
type History struct {
	Start   int64    `json:"start"`   // of the first slot, s since 1970
	Step    int64    `json:"step_s"`  // length of a slot
	Zone    string   `json:"zone"`    // time zone of the policy, such as Europe/Helsinki
	Keep    int64    `json:"keep_s"`  // retention of the policy; 0: not known
	Streams []Stream `json:"streams"` // by name
}

// Slots returns the number of slots.
func (h *History) Slots() int {
	if h.Step <= 0 {
		return 0
	}
	return int(HistorySpan / h.Step)
}

// The states of a slot.
const (
	SlotEmpty = '.' // no window of it is stored
	SlotGap   = 'g' // windows are stored, and none has numbers
	SlotPart  = 'p' // observed in part
	SlotWhole = 'o'
)

// Stream is the history of one stream.
type Stream struct {
	Name   string   `json:"stream"`
	Kind   string   `json:"kind"`  // line, zone or loop
	Slots  string   `json:"slots"` // the state of each slot, one byte
	Series []Series `json:"series"`
}

// NoNumber stands in a Series for a number that is not known: of a slot without
// numbers, of a withheld one, or for the upper end of a range that has none.
const NoNumber = -1 << 31

// Series is the history of one class in one direction: a number for each slot, in
// tenths. For a line or loop it is the sum of the windows, for a zone their mean.
type Series struct {
	Class string  `json:"class"`
	Dir   string  `json:"dir"`   // a_to_b, b_to_a, or "" of a zone
	N     []int32 `json:"n"`     // as released
	Least []int32 `json:"least"` // the true number lies from here
	Most  []int32 `json:"most"`  // to here, in 95 of 100 slots at least
}

// History asks for the history of the last 72 hours.
func (c *Client) History() (*History, error) {
	h := new(History)
	if err := c.greet(); err != nil {
		return nil, err
	}
	if err := c.ask(&ipc.Query{What: ipc.QueryHistory}, h); err != nil {
		return nil, err
	}
	return h, nil
}
