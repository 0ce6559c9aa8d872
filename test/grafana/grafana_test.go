// Package grafana reads the dashboards of configs/kit with the types that Grafana's own
// project makes from its schemas. It has its own go.mod, as these types are large.
package grafana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// load reads a dashboard, and refuses every key that Grafana does not know: such a key is
// lost when the dashboard is written again. (UnmarshalJSONStrict of v0.0.22 cannot be used:
// it returns an error that is an empty list, and drops what it has read.)
func load(text []byte) (d dashboard.Dashboard, err error) {
	if err := json.Unmarshal(text, &d); err != nil {
		return d, err
	}
	again, err := json.Marshal(d)
	if err != nil {
		return d, err
	}
	var before, after any
	if err := json.Unmarshal(text, &before); err != nil {
		return d, err
	}
	if err := json.Unmarshal(again, &after); err != nil {
		return d, err
	}
	return d, findLost(before, after, "dashboard")
}

// findLost returns an error for the first key or element of before that after lacks.
func findLost(before, after any, path string) error {
	switch b := before.(type) {
	case map[string]any:
		a, _ := after.(map[string]any)
		for key, v := range b {
			if _, ok := a[key]; !ok {
				return fmt.Errorf("%s: Grafana does not know the key %s", path, key)
			}
			if err := findLost(v, a[key], path+"."+key); err != nil {
				return err
			}
		}
	case []any:
		a, _ := after.([]any)
		if len(a) != len(b) {
			return fmt.Errorf("%s: Grafana reads %d of %d elements", path, len(a), len(b))
		}
		for i := range b {
			if err := findLost(b[i], a[i], fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestGrafanaReadsTheDashboards(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	for name, panels := range map[string]int{"fleet": 8, "street": 5} {
		text, err := os.ReadFile("../../configs/kit/grafana-" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		d, err := load(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(d.Panels) != panels {
			t.Errorf("%s: %d panels, want %d", name, len(d.Panels), panels)
		}
		for _, p := range d.Panels {
			if p.Panel == nil || len(p.Panel.Targets) == 0 {
				t.Errorf("%s: a panel without a query", name)
			}
		}
		for _, key := range []string{"gridPos", "expr", "schemaVersion"} { // the control
			if _, err := load(bytes.Replace(text, []byte(`"`+key+`"`), []byte(`"misspelt"`), 1)); err == nil {
				t.Errorf("%s: a misspelt %s is accepted", name, key)
			}
		}
	}
}
