package configs_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kerb/agent/fleet"
	"kerb/agent/vocabulary"
)

// rule is one rule of alerts.yaml.
type rule struct {
	name, problem, expr string
	covers              []string // LIST WORD
}

// readRules returns the rules of alerts.yaml, and its words without a rule.
func readRules(t *testing.T) (rules []rule, without []string) {
	t.Helper()
	b, err := os.ReadFile("kit/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	words := func(text, form string) (all []string) {
		for _, m := range regexp.MustCompile(form).FindAllStringSubmatch(text, -1) {
			for _, w := range strings.Fields(m[2]) {
				all = append(all, m[1]+" "+w)
			}
		}
		return all
	}
	for _, text := range strings.Split(string(b), "- alert: ")[1:] {
		name, _, _ := strings.Cut(text, "\n")
		problem := regexp.MustCompile(`problem: (\w+)`).FindStringSubmatch(text)
		_, expr, _ := strings.Cut(text, "expr:")
		expr, _, ok := strings.Cut(expr, "labels:")
		if problem == nil || !ok {
			t.Fatalf("%s has no problem or no expr before its labels", name)
		}
		rules = append(rules, rule{name, problem[1], expr, words(text, `# covers (\w+): (.*)`)})
	}
	if len(rules) < 20 {
		t.Fatalf("%d rules", len(rules))
	}
	return rules, words(string(b), `# without (\w+): ([^:]*): `)
}

// Each problem of kerb fleet check has a rule that uses its word, over metrics that a file
// of the kit makes.
func TestTheAlertsUseTheWordsAndMetricsThatExist(t *testing.T) {
	rules, _ := readRules(t)
	known := fleet.ProblemWords()
	for _, word := range known {
		if !slices.ContainsFunc(rules, func(r rule) bool { return r.problem == word }) {
			t.Errorf("no rule tells of %s", word)
		}
	}
	exporter, telegraf := kitFile(t, "mqtt-exporter.yaml", 1883), kitFile(t, "telegraf.conf", 1883)
	for _, r := range rules {
		if !slices.Contains(known, r.problem) {
			t.Errorf("%s: problem %s is no word of kerb fleet check: %v", r.name, r.problem, known)
		}
		for _, f := range regexp.MustCompile(`kerb_(?:state|sensor|event|window)_(\w+)`).FindAllStringSubmatch(r.expr, -1) {
			if !strings.Contains(exporter, "prom_name: "+f[0]+"\n") && !strings.Contains(telegraf, "\n      "+f[1]+" = ") && !strings.Contains(telegraf, `["`+f[1]+`"]`) {
				t.Errorf("nothing makes %s", f[0])
			}
		}
	}
}

// Each word on the wire that asks for a person is told by a rule, or the file says why not.
func TestEachWordThatAsksForAPersonHasAnAlert(t *testing.T) {
	rules, without := readRules(t)
	lists := map[string][]vocabulary.Word{
		"reason": vocabulary.Reasons(), "loss": vocabulary.LossReasons(), "epoch": vocabulary.EpochReasons(), "want": vocabulary.WantReasons(),
	}
	for _, e := range vocabulary.Events() {
		lists["event"] = append(lists["event"], vocabulary.Word{Word: e.Kind, Action: e.Action})
	}
	told := slices.Clone(without)
	for _, r := range rules {
		told = append(told, r.covers...)
		for _, c := range r.covers {
			_, word, _ := strings.Cut(c, " ")
			if strings.Contains(r.expr, "reason=~") && !strings.HasPrefix(c, "event ") && !strings.Contains(r.expr, word) {
				t.Errorf("%s does not ask for %s", r.name, word)
			}
		}
	}
	words, asking := map[string]bool{}, 0
	for list, all := range lists {
		for _, w := range all {
			key := list + " " + w.Word
			words[key] = true
			if strings.HasPrefix(w.Action, "Nothing") && !strings.Contains(w.Action, "Otherwise") {
				continue
			}
			asking++
			if !slices.Contains(told, key) {
				t.Errorf("%s asks for something (%s), and no rule covers it; or say why, at the end of alerts.yaml", key, w.Action)
			}
		}
	}
	if asking < 50 {
		t.Errorf("%d words ask for something", asking)
	}
	for _, key := range told {
		if !words[key] {
			t.Errorf("%s is no word on the wire", key)
		}
		if slices.Contains(without, key) && key != "event epoch" && slices.ContainsFunc(rules, func(r rule) bool { return slices.Contains(r.covers, key) }) {
			t.Errorf("%s has a rule and is listed as without", key)
		}
	}
}

// The file of promtool fires each rule, and has a device that is well for each metric.
func TestEachAlertIsTriedBothWays(t *testing.T) {
	b, err := os.ReadFile("kit/testdata/alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, _ := readRules(t)
	for _, r := range rules {
		if !regexp.MustCompile(`alertname="` + r.name + `"[^}]*}', value: 1`).Match(b) {
			t.Errorf("%s is never fired", r.name)
		}
		for _, metric := range regexp.MustCompile(`kerb_(?:state|sensor|event|window)_\w+`).FindAllString(r.expr, -1) {
			if !regexp.MustCompile(metric + `{(?:topic|device)="well"`).Match(b) {
				t.Errorf("%s: no device that is well has %s", r.name, metric)
			}
		}
	}
	if regexp.MustCompile(`alertname=[^}]*(?:topic|device)="well"`).Match(b) {
		t.Error("an alert of a device that is well is expected")
	}
}

func TestPrometheusAndVMAlertTakeTheRules(t *testing.T) {
	for _, c := range [][]string{
		{"promtool", "check", "rules", "kit/alerts.yaml"},
		{"promtool", "test", "rules", "kit/testdata/alerts_test.yaml"},
		{"vmalert", "-dryRun", "-rule", "kit/alerts.yaml"},
	} {
		t.Run(strings.Join(c[:2], " "), func(t *testing.T) {
			if out, err := exec.Command(tool(t, c[0]), c[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
