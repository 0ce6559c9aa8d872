package commission

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"kerb/agent/aim"
	"kerb/agent/clock"
	"kerb/agent/publisher"
	"kerb/agent/state"
	"kerb/agent/uplink"
)

// The steps of an acceptance record. It is published, and a quarter of an hour
// in a quiet street is a few people: the numbers are coarse on purpose, without
// classes and directions.
const (
	minuteStep   = 60  // seconds: the length in whole minutes
	passageStep  = 10  // the passages by hand are rounded down to tens
	percentSteps = 100 // error and interval in hundredths: whole percents
)

// storeAcceptance stores the result of a tally by hand in the state directory, in
// the place of the record of the same line in the same light. The day is left out while the clock
// is not synced.
func (s *Session) storeAcceptance(r aim.Result) error {
	owner, err := state.OpenOwner(s.Config.Device.State)
	if err != nil {
		return err
	}
	return errors.Join(owner.Do(func(dir string) error { return s.storeAcceptanceIn(dir, r) }), owner.Close())
}

// storeAcceptanceIn is storeAcceptance in the state directory dir.
func (s *Session) storeAcceptanceIn(dir string, r aim.Result) error {
	path, all := filepath.Join(dir, state.AcceptanceFile), publisher.ReadAcceptances(dir)
	all = slices.DeleteFunc(all, func(a uplink.Acceptance) bool { return a.Stream == r.Line && a.Light == r.Light })
	roundPercent := func(v float64) float64 { return math.Round(percentSteps*v) / percentSteps }
	a := uplink.Acceptance{
		Stream: r.Line, Light: r.Light, Minutes: (r.Seconds + minuteStep/2) / minuteStep, Passages: r.Hand / passageStep * passageStep,
		Error: roundPercent(r.Error), Low: roundPercent(r.Low), High: roundPercent(r.High), GEH: math.Round(r.GEH), Verdict: r.Verdict,
	}
	if now := (clock.Clock{Floor: s.Config.Device.ClockFloor}).ReadAll(); now.Synced {
		a.Day = now.Wall.UTC().Format(time.DateOnly)
	}
	b, err := json.MarshalIndent(append(all, a), "", "  ")
	if err != nil {
		return err
	}
	if err := state.Replace(path, append(b, '\n'), ""); err != nil {
		return fmt.Errorf("keep the acceptance record: %w", err)
	}
	return nil
}
