package publisher

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/configs/configstest"
)

// A cut of the audit log becomes an event with numbers alone.
func TestACutAuditLogReachesThePlatform(t *testing.T) {
	for _, c := range []struct {
		m    ipc.AuditCut
		want string
	}{
		{ipc.AuditCut{N: 7, Had: 9, Found: 2}, `{"found":2,"had":9}`},
		{ipc.AuditCut{N: 7, Found: 4}, `{"found":4}`},
	} {
		p := newPublisher(t, filepath.Join(t.TempDir(), "spool"), policy.Demo())
		if stored, err := p.handleRecord(&c.m); err != nil || stored != 7 {
			t.Fatalf("%d, %v", stored, err)
		}
		got := ""
		for _, n := range p.Store.PendingNotes() {
			if n.Kind != "audit_cut" {
				continue
			}
			data, err := json.Marshal(n.Data)
			if err != nil {
				t.Fatal(err)
			}
			got += string(data)
			text, err := json.Marshal(map[string]any{"schema": "kerb.event/1", "tenant": "t", "site": "s", "device": "pi", "epoch": n.Epoch, "n": 1, "kind": n.Kind, "data": n.Data})
			if err != nil {
				t.Fatal(err)
			}
			if err := configstest.Validate(t, "event", text); err != nil {
				t.Error(err)
			}
		}
		if got != c.want {
			t.Errorf("%+v: %s, want %s", c.m, got, c.want)
		}
	}
}
