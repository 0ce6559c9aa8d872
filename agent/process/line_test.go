package process

import (
	"testing"
	"time"
)

func TestALineOfAChildHasTheFormOfTheLog(t *testing.T) {
	at := time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)
	for line, want := range map[string]string{
		`level=WARN msg="camera lost" camera=north`: `time=2026-11-30T10:00:00.000Z level=WARN msg="camera lost" camera=north from="sense north"`,
		`kerb: open "x": denied`:                    `time=2026-11-30T10:00:00.000Z level=WARN msg="kerb: open \"x\": denied" from="sense north"`,
	} {
		if got := FormatLine("sense north", line, at); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
