package uplink

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/counting"
)

// loopWindow is a cleared window of a pair of loops that measures everything, over
// which n vehicles passed.
func loopWindow(t *testing.T, p *policy.Policy, n int) store.Entry {
	t.Helper()
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	y := counting.Tally{
		Stream: "lane-1", Kind: counting.LoopStream, Start: start, End: start.Add(p.Window()), Observed: p.Window(), Mono: time.Hour,
		Measures: counting.QuantitiesOf(counting.LoopStream), LengthBins: 4,
	}
	y.Counted[counting.Vehicle] = true
	y.Crossings[counting.Vehicle][counting.AToB] = uint32(n)
	y.Traffic.CoveredOver, y.Traffic.Covered = p.Window(), time.Duration(n)*400*time.Millisecond
	for range n {
		y.Traffic.AddSpeed(48)
		y.Traffic.Lengths[0]++
		y.Traffic.Headways[3]++
		y.Traffic.Gaps[2]++
	}
	r, err := p.Clear(y)
	if err != nil {
		t.Fatal(err)
	}
	return store.Entry{Epoch: "7b0c0000-0000-4000-8000-000000000000", Seq: 1844, Release: r, Synced: true}
}

// policyWithTraffic is a shipped policy with the quantities of list.
func policyWithTraffic(t *testing.T, name, list string) *policy.Policy {
	t.Helper()
	b, err := os.ReadFile("../../configs/policy-" + name + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "\nquantities = [\"occupancy\", \"speed\"]\n", "\n", 1)
	p, err := policy.Parse(name, []byte(strings.Replace(text, "[count]\n", "[count]\nquantities = "+list+"\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheLengthOfAMessageDoesNotTellTheTraffic(t *testing.T) {
	sch := loadSchemas(t)
	for name, list := range map[string]string{
		"standard": `["occupancy", "speed", "speeds", "lengths", "headways", "gaps", "congested"]`,
		"traffic":  `["occupancy", "speed"]`,
	} {
		p := policyWithTraffic(t, name, list)
		length := 0
		for _, n := range []int{0, 1, 500, 0, 500} {
			b := EncodeWindow(Address{"camden", "high-street", "pi-0a1b"}, loopWindow(t, p, n))
			if err := sch.validate("count", b); err != nil || !json.Valid(b) {
				t.Fatalf("%s\n%v", b, err)
			}
			for _, key := range []string{`"occ":{"permille":`, `"speed":{"n":`, `"mean":`} {
				if !bytes.Contains(b, []byte(key)) {
					t.Errorf("%s: no %s in %s", name, key, b)
				}
			}
			if length == 0 {
				length = len(b)
			}
			if len(b) != length {
				t.Errorf("%s: %d bytes at %d passages, %d at 0:\n%s", name, len(b), n, length, b)
			}
		}
	}
}

func TestTheLengthOfAMessageDoesNotTellWhoStands(t *testing.T) {
	sch := loadSchemas(t)
	p := policyWithTraffic(t, "standard", `["standing"]`)
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	length := 0
	for _, n := range []time.Duration{0, 1, 500, 0, 500} {
		y := counting.Tally{
			Stream: "plaza", Kind: counting.ZoneStream, Start: start, End: start.Add(p.Window()), Observed: p.Window(), Mono: time.Hour,
			Measures: counting.QuantitiesOf(counting.ZoneStream),
		}
		y.Counted[counting.Person], y.Counted[counting.Vehicle] = true, true
		y.Presence[counting.Person], y.Peak[counting.Person] = n*p.Window(), uint32(n)
		y.Traffic.FollowedOver, y.Traffic.Stood[counting.Person] = p.Window(), n*p.Window()
		r, err := p.Clear(y)
		if err != nil {
			t.Fatal(err)
		}
		b := EncodeWindow(Address{"camden", "high-street", "pi-0a1b"}, store.Entry{Epoch: "7b0c0000-0000-4000-8000-000000000000", Seq: 1844, Release: r, Synced: true})
		if err := sch.validate("count", b); err != nil || !bytes.Contains(b, []byte(`"standing":[{"class":"person","standing":`)) {
			t.Fatalf("%s\n%v", b, err)
		}
		if length == 0 {
			length = len(b)
		}
		if len(b) != length {
			t.Errorf("%d bytes at %d, %d at 0:\n%s", len(b), n, length, b)
		}
	}
}
