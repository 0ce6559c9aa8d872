package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/counting"
)

func TestTheTableOfQuantitiesHasWhatWasCountedAndWhatWasReceived(t *testing.T) {
	streams := madeUpLoops().Streams()
	l := newLedger(streams)
	y := counting.Tally{Stream: "pair", Kind: counting.LoopStream, Measures: streams[0].Measures, LengthBins: 4}
	y.Traffic.Covered, y.Traffic.CoveredOver = time.Second, 5*time.Second
	y.Traffic.AddSpeed(48)
	y.Traffic.Lengths[1]++
	l.addTallies([]counting.Tally{y, y})
	l.addMessage("kerb/v1/kerb/demo/demo/count/pair", []byte(`{"stream":"pair","counts":[],"occ":{"permille":-30},"length":{"bins":[1,2,-3,0]}}`))
	rows := l.quantityRows(policy.DemoLoops())
	if len(rows) != 3 || rows[0].Counted[0] != 200 || rows[0].Released[0] != -30 || rows[1].Counted[4] != 2 || rows[2].Released[2] != -3 {
		t.Fatalf("%+v", rows)
	}
	var b bytes.Buffer
	if err := writeQuantities(&b, rows); err != nil || !strings.Contains(b.String(), "pair    lengths    vehicles  0 2 0 0") {
		t.Errorf("%v\n%s", err, &b)
	}
	if rows := l.quantityRows(policy.Demo()); len(rows) > 0 {
		t.Errorf("a policy without quantities: %+v", rows)
	}
}
