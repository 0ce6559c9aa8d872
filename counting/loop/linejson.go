package loop

import (
	"encoding/json"
	"io"
	"strings"
)

// lineStates is the object that kerb loops -json prints once a second; the help of that
// command documents its keys for users.
type lineStates struct {
	Lines []lineState `json:"lines"`
}

// lineState is a LineState with the keys and units of kerb's JSON.
type lineState struct {
	Line     string   `json:"line"`
	Stream   string   `json:"stream,omitempty"`
	Relay    bool     `json:"relay"`
	Known    bool     `json:"known"`
	On       bool     `json:"on"`
	Onsets   int      `json:"onsets"`
	LastOn   float64  `json:"last_on_s,omitempty"`
	Speed    float64  `json:"speed_m_per_s,omitempty"`
	Passages uint32   `json:"passages"`
	Faults   []string `json:"faults"`
	Presence string   `json:"presence"`
}

// WriteLineJSON writes the states as one JSON object on one line.
func WriteLineJSON(w io.Writer, states []LineState) error {
	out := lineStates{Lines: []lineState{}}
	for _, s := range states {
		out.Lines = append(out.Lines, lineState{
			Line: s.Line, Stream: s.Stream, Relay: s.Relay, Known: s.Known, On: s.On, Onsets: s.Onsets,
			LastOn: s.LastOn.Seconds(), Speed: s.Speed, Passages: s.Total,
			Faults: faultWords(s.Faults), Presence: presenceDigits(s.Bits),
		})
	}
	return json.NewEncoder(w).Encode(out)
}

// faultWords lists the words of the faults in f, worst first.
func faultWords(f Fault) []string {
	if f == 0 {
		return []string{}
	}
	return strings.Split(f.String(), "+")
}

// presenceDigits writes the 16 presence bits of a line, oldest first: 1 for covered
// and 0 for free.
func presenceDigits(bits uint16) string {
	var digits [16]byte
	for i := range digits {
		digits[i] = '0' + byte(bits>>(15-i)&1)
	}
	return string(digits[:])
}
