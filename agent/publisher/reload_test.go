package publisher

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/configs/configstest"
)

// Changed files become an event with words and a line, not with a text of the files.
func TestAReloadReachesThePlatform(t *testing.T) {
	for want, m := range map[string]*ipc.Reload{
		`map[outcome:taken]`: {N: 1},
		`map[file:site line:12 outcome:refused reason:mistakes]`: {N: 1, Why: ipc.ReloadNumber("mistakes"), File: 1, Line: 12},
		`map[file:policy outcome:refused reason:policy_refused]`: {N: 1, Why: ipc.ReloadNumber("policy_refused"), File: 2},
		`map[outcome:refused reason:unchecked]`:                  {N: 1, Why: ipc.ReloadNumber("a text of the file")},
	} {
		t.Run(want, func(t *testing.T) {
			p := newPublisher(t, filepath.Join(t.TempDir(), "spool"), policy.Demo())
			if _, err := p.handleRecord(m); err != nil {
				t.Fatal(err)
			}
			events := 0
			for _, note := range p.Store.PendingNotes() {
				if got := fmt.Sprint(note.Data); got != want || note.Kind != "reload" {
					t.Errorf("%s %s, want %s", note.Kind, got, want)
				}
				text, err := json.Marshal(map[string]any{"schema": "kerb.event/1", "tenant": "t", "site": "s", "device": "pi", "epoch": note.Epoch, "n": 1, "kind": note.Kind, "data": note.Data})
				if err != nil {
					t.Fatal(err)
				}
				if err := configstest.Validate(t, "event", text); err != nil {
					t.Error(err)
				}
				events++
			}
			if events != 1 {
				t.Errorf("%d events", events)
			}
		})
	}
}
