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

// A camera's fault becomes an event and is in the state message.
func TestACameraFaultReachesThePlatform(t *testing.T) {
	site := &config.Site{Cameras: []config.Camera{{Name: "north"}}}
	p := newPublisher(t, filepath.Join(t.TempDir(), "spool"), policy.Demo())
	p.site, p.state.site = site, site
	if _, err := p.handleRecord(&ipc.CameraFault{N: 1, Fault: uint8(counting.ViewMoved), On: true}); err != nil {
		t.Fatal(err)
	}
	var note store.Note
	for _, n := range p.Store.PendingNotes() {
		note = n
	}
	text, err := json.Marshal(map[string]any{"schema": "kerb.event/1", "tenant": "t", "site": "s", "device": "pi", "epoch": note.Epoch, "n": 1, "kind": note.Kind, "data": note.Data})
	if err != nil {
		t.Fatal(err)
	}
	if err := configstest.Validate(t, "event", text); err != nil || note.Kind != "camera_fault" || note.Data["fault"] != "camera_moved" || note.Data["camera"] != "north" {
		t.Errorf("%s: %v", text, err)
	}
	p.state.setHeartbeat(0, &ipc.Heartbeat{ViewFault: uint8(counting.ViewMoved), Delivering: true})
	text, err = json.Marshal(map[string]any{"schema": "kerb.state/1", "tenant": "t", "site": "s", "device": "pi", "online": false, "agent": map[string]any{"sensors": p.state.report()["sensors"]}})
	if err != nil || !bytes.Contains(text, []byte(`"fault":"camera_moved"`)) {
		t.Errorf("state: %s, %v", text, err)
	}
	if err := configstest.Validate(t, "state", text); err != nil {
		t.Error(err)
	}
}

// A lost camera becomes an event with a word, not with the camera's own text.
func TestALostCameraReachesThePlatform(t *testing.T) {
	site := &config.Site{Cameras: []config.Camera{{Name: "north"}}}
	p := newPublisher(t, filepath.Join(t.TempDir(), "spool"), policy.Demo())
	p.site, p.state.site = site, site
	for n, on := range []bool{true, false} {
		if stored, err := p.handleRecord(&ipc.CameraLost{N: uint64(n + 1), On: on, Why: ipc.CameraLossNumber("login")}); err != nil || stored != uint64(n+1) {
			t.Fatalf("%d, %v", stored, err)
		}
	}
	var got []map[string]any
	for _, n := range p.Store.PendingNotes() {
		if n.Kind == "camera_lost" {
			got = append(got, n.Data)
		}
	}
	if len(got) != 2 || got[0]["camera"] != "north" || got[0]["why"] != "login" || got[0]["on"] != true || got[1]["on"] != false || got[1]["why"] != nil {
		t.Errorf("%v", got)
	}
}
