package admission

import (
	"encoding/json"
	"errors"
	"io/fs"

	"kerb/agent/audit"
	"kerb/agent/policy"
)

// lastEntry is the data of the newest entry of a kind, nil if there is none.
func lastEntry(dir, kind string) (data json.RawMessage, err error) {
	_, err = audit.VerifyLog(dir, func(e audit.Entry) error {
		if e.Kind == kind {
			data = e.Data
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// lastVersion is the version of the policy under which kerb run last started,
// 0 if the log knows of none.
func lastVersion(dir string) (int64, error) {
	data, err := lastEntry(dir, "start")
	if err != nil || data == nil {
		return 0, err
	}
	var entry struct {
		Version int64 `json:"version"`
	}
	err = json.Unmarshal(data, &entry)
	return entry.Version, err
}

// trustEntry is who may sign, as the audit log has it.
func trustEntry(t policy.Trust) json.RawMessage {
	keys := make([]string, len(t.Keys))
	for i, k := range t.Keys {
		keys[i] = k.String()
	}
	b, err := json.Marshal(struct {
		Mode string   `json:"mode"`
		Keys []string `json:"keys"`
	}{t.Mode.String(), keys})
	if err != nil {
		panic(err) // two kinds of text
	}
	return b
}
