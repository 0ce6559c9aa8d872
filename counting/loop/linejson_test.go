package loop

import (
	"strings"
	"testing"
	"time"
)

func TestLoopsJSONHasSnakeCaseKeysInSIUnits(t *testing.T) {
	var out strings.Builder
	err := WriteLineJSON(&out, []LineState{
		{Line: "L1A", Stream: "east", Known: true, On: true, Onsets: 3, LastOn: 448 * time.Millisecond, Speed: 12.5, Total: 2, Faults: Chatter | Drift, Bits: 0xe00},
		{Line: "R1", Relay: true},
	})
	want := `{"lines":[` +
		`{"line":"L1A","stream":"east","relay":false,"known":true,"on":true,"onsets":3,"last_on_s":0.448,"speed_m_per_s":12.5,"passages":2,"faults":["loop_chatter","loop_drift"],"presence":"0000111000000000"},` +
		`{"line":"R1","relay":true,"known":false,"on":false,"onsets":0,"passages":0,"faults":[],"presence":"0000000000000000"}]}` + "\n"
	if err != nil || out.String() != want {
		t.Errorf("%v\ngot  %swant %s", err, out.String(), want)
	}
}
