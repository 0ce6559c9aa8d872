package configs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// checkPanels puts rows of Telegraf into VictoriaMetrics, and asks each query of the
// dashboards and each rule there. A panel must have rows; of the rules, those for the
// faults of the device bad must have one of it, and none of the device std.
func checkPanels(t *testing.T, rows string) {
	victoria, port := tool(t, "victoria-metrics"), freePort(t)
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	start(t, victoria, "-httpListenAddr", base[len("http://"):], "-storageDataPath", t.TempDir(), "-retentionPeriod", "100y", "-search.latencyOffset", "0s", "-loggerLevel", "ERROR")
	until(t, "VictoriaMetrics", func() bool {
		r, err := http.Post(base+"/write", "text/plain", strings.NewReader(rows))
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusNoContent
	})
	ask := func(query string, at time.Time) (series []map[string]string) {
		var answer struct {
			Status string
			Data   struct {
				Result []struct{ Metric map[string]string }
			}
		}
		if !get(port, "/api/v1/query?"+url.Values{"query": {query}, "time": {at.Format(time.RFC3339)}}.Encode(), &answer) || answer.Status != "success" {
			t.Errorf("no answer to %s", query)
		}
		for _, r := range answer.Data.Result {
			series = append(series, r.Metric)
		}
		return series
	}
	recordedAt := time.Date(2026, 11, 30, 23, 15, 0, 0, time.UTC)
	until(t, "the rows", func() bool { return len(ask("last_over_time(kerb_state_online[1h])", time.Now())) >= 3 })
	for panel, queries := range panelQueries(t) {
		at, n := time.Now(), 0
		if strings.HasPrefix(panel, "street") {
			at = recordedAt // windows have their own time
		}
		for _, q := range queries {
			n += len(ask(strings.NewReplacer("$device", ".*", "$stream", ".*").Replace(q), at))
		}
		if n == 0 {
			t.Errorf("%s: no row of %q", panel, queries)
		}
		t.Logf("%s: %d rows", panel, n)
	}
	rules, _ := readRules(t)
	fired := map[string]bool{}
	for _, r := range rules {
		expr := strings.TrimPrefix(strings.TrimSpace(r.expr), ">")
		if i := strings.Index(expr, "\n        for:"); i >= 0 {
			expr = expr[:i]
		}
		for _, s := range ask(expr, time.Now()) {
			fired[r.problem] = fired[r.problem] || strings.Contains(s["topic"], "/bad/")
			if r.problem != "clock" && strings.Contains(s["topic"], "/std/") {
				t.Errorf("%s: %v", r.name, s)
			}
		}
	}
	for _, problem := range []string{"twin", "denied", "lost_windows", "backlog", "view", "certificate", "walls", "board"} {
		if !fired[problem] {
			t.Errorf("no rule tells %s of the device that has it", problem)
		}
	}
}

// panelQueries returns the queries of all panels, by dashboard and title.
func panelQueries(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, name := range []string{"fleet", "street"} {
		var d struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		b, err := os.ReadFile("kit/grafana-" + name + ".json")
		if err == nil {
			err = json.Unmarshal(b, &d)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				all[name+": "+p.Title] = append(all[name+": "+p.Title], q.Expr)
			}
		}
	}
	if len(all) < 10 {
		t.Fatalf("%d panels", len(all))
	}
	return all
}
