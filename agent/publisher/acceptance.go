package publisher

import (
	"encoding/json"
	"os"
	"path/filepath"

	"kerb/agent/state"
	"kerb/agent/uplink"
)

// ReadAcceptances reads the acceptance records from the state directory: the
// latest result of a tally by hand for each line in each light. A file that cannot be read
// gives none, because counting does not depend on them.
func ReadAcceptances(dir string) (all []uplink.Acceptance) {
	b, err := os.ReadFile(filepath.Join(dir, state.AcceptanceFile))
	if err != nil || json.Unmarshal(b, &all) != nil {
		return nil
	}
	return all
}
