package publisher

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"kerb/agent/config"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/configs/configstest"
	"kerb/counting"
)

// A camera's fault becomes an event, and stands in the state message.
func TestACameraFaultReachesThePlatform(t *testing.T) {
	site := &config.Site{Cameras: []config.Camera{{Name: "north"}}}
	w := writerOn(t, filepath.Join(t.TempDir(), "spool"), policy.Demo())
	w.Site, w.State.Site = site, site
	if _, err := w.handleRecord(&ipc.CameraFault{N: 1, Fault: uint8(counting.ViewMoved), On: true}); err != nil {
		t.Fatal(err)
	}
	var note store.Note
	for _, n := range w.Store.PendingNotes() {
		note = n
	}
	text, err := json.Marshal(map[string]any{"schema": "kerb.event/1", "device": "pi", "n": 1, "kind": note.Kind, "data": note.Data})
	if err != nil {
		t.Fatal(err)
	}
	if err := configstest.Validate(t, "event", text); err != nil || note.Kind != "camera_fault" || note.Data["fault"] != "camera_moved" || note.Data["camera"] != "north" {
		t.Errorf("%s: %v", text, err)
	}
	w.State.setHeartbeat(0, &ipc.Heartbeat{View: uint8(counting.ViewMoved), Watching: true})
	text, err = json.Marshal(map[string]any{"schema": "kerb.state/1", "device": "pi", "online": false, "agent": map[string]any{"sensors": w.State.Report()["sensors"]}})
	if err != nil || !bytes.Contains(text, []byte(`"fault":"camera_moved"`)) {
		t.Errorf("state: %s, %v", text, err)
	}
	if err := configstest.Validate(t, "state", text); err != nil {
		t.Error(err)
	}
}
