package admission

import (
	"encoding/json"
	"errors"
	"io/fs"

	"kerb/agent/audit"
	"kerb/agent/policy"
)

// lastEntry returns the data of the newest audit entry of a kind below dir; nil
// if the log has none or does not exist.
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

// lastVersion returns the version of the policy under which kerb run last
// started, by the audit log below dir; 0 if the log has no start.
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

// trustEntry returns the data of a "trust" entry: the mode and the public keys
// that may sign, in the order of site.toml.
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
		panic(err) // strings cannot fail to encode
	}
	return b
}
