package relay

import (
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Total is the sum of all streams on one day, made-up ones left out.
type Total struct {
	Day                                                                        string
	Streams, Due, Received, Gaps, Gone, Missing, Awaited, Unexplained, Clashes int
}

// Completeness returns which part of the windows that are due is here, in per cent.
func (t Total) Completeness() float64 {
	if t.Due == 0 {
		return 100
	}
	return 100 * float64(t.Due-t.Gone-t.Missing-t.Awaited-t.Unexplained) / float64(t.Due)
}

// Totals returns the sums of each day.
func (l *Ledger) Totals() []Total {
	days := map[string]*Total{}
	for _, r := range l.Rows {
		if r.MadeUp {
			continue
		}
		t := days[r.Day]
		if t == nil {
			t = &Total{Day: r.Day}
			days[r.Day] = t
		}
		t.Streams++
		t.Due += r.Due
		t.Received += r.Received
		t.Gaps += total(r.Gaps)
		t.Gone += total(r.Gone)
		t.Missing += r.Missing
		t.Awaited += r.Awaited
		t.Unexplained += r.Unexplained
		t.Clashes += r.Clashes
	}
	var all []Total
	for _, d := range slices.Sorted(maps.Keys(days)) {
		all = append(all, *days[d])
	}
	return all
}

func total(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// lacks returns how many windows of a row are not here.
func (r Row) lacks() int { return total(r.Gone) + r.Missing + r.Awaited + r.Unexplained }

// Worst returns at most n rows that lack windows, the worst first, or in which windows clash.
func (l *Ledger) Worst(n int) []Row {
	rows := slices.DeleteFunc(slices.Clone(l.Rows), func(r Row) bool { return r.lacks() == 0 && r.Clashes == 0 })
	slices.SortStableFunc(rows, func(a, b Row) int { return b.lacks() - a.lacks() })
	return rows[:min(len(rows), n)]
}

// Reasons writes counts by reason, such as "camera_lost 3, down 1".
func Reasons(m map[string]int) string {
	var out []string
	for _, k := range sortedKeys(m) {
		out = append(out, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(out, ", ")
}

const worstInText = 20

// WriteText writes the days, and the streams that lack most.
func (l *Ledger) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%-10s %8s %9s %9s %7s %7s %8s %8s %12s %8s\n", "day", "due", "received", "complete", "gaps", "gone", "missing", "awaited", "unexplained", "clashes")
	for _, t := range l.Totals() {
		_, err = fmt.Fprintf(w, "%-10s %8d %9d %8.2f%% %7d %7d %8d %8d %12d %8d\n", orUnplaced(t.Day), t.Due, t.Received, t.Completeness(), t.Gaps, t.Gone, t.Missing, t.Awaited, t.Unexplained, t.Clashes)
	}
	for _, r := range l.Worst(worstInText) {
		_, err = fmt.Fprintf(w, "%s  %s/%s/%s/%s: missing %d (left %d), awaited %d, unexplained %d, clashes %d, gone: %s %s\n",
			orUnplaced(r.Day), r.Tenant, r.Site, r.Device, r.Stream, r.Missing, r.Left, r.Awaited, r.Unexplained, r.Clashes, orNone(Reasons(r.Gone)), r.NoAnswer)
	}
	for _, c := range l.Clashes[max(len(l.Clashes)-worstInText, 0):] {
		_, err = fmt.Fprintf(w, "%s  %s/%s/%s/%s: epoch %s seq %d came again with other bytes\n",
			c.At.Format(time.RFC3339), c.Tenant, c.Site, c.Device, c.Stream, c.Epoch, c.Seq)
	}
	if l.Waiting.Windows > 0 || l.Waiting.Full {
		_, err = fmt.Fprintln(w, l.Waiting)
	}
	return err
}

func orUnplaced(day string) string {
	if day == "" {
		return "unplaced"
	}
	return day
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// ledgerColumns are the columns of WriteCSV: one row for each stream, day, class and
// direction, and one without a class where there were no numbers. The counts of windows
// stand in each of these rows.
var ledgerColumns = []string{
	"day", "tenant", "site", "device", "stream", "made_up", "window_s", "due", "received", "parts", "ok", "partial", "gaps", "gone",
	"missing", "left", "awaited", "unexplained", "waiting", "refused", "clashes", "observed_s", "class", "dir", "numbers", "withheld", "sum", "mean", "low", "high",
}

// WriteCSV writes all rows.
func (l *Ledger) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	_ = c.Write(ledgerColumns)
	for _, r := range l.Rows {
		head := []string{r.Day, r.Tenant, r.Site, r.Device, r.Stream, strconv.FormatBool(r.MadeUp)}
		for _, n := range []int{r.WindowS, r.Due, r.Received, r.Parts, r.OK} {
			head = append(head, strconv.Itoa(n))
		}
		head = append(head, Reasons(r.Partial), Reasons(r.Gaps), Reasons(r.Gone))
		for _, n := range []int{r.Missing, r.Left, r.Awaited, r.Unexplained, r.Waiting, r.Refused, r.Clashes, r.ObservedS} {
			head = append(head, strconv.Itoa(n))
		}
		if len(r.Sums) == 0 {
			_ = c.Write(append(head, make([]string, len(ledgerColumns)-len(head))...))
		}
		for _, s := range r.Sums {
			_ = c.Write(append(slices.Clone(head), s.Class, s.Dir, strconv.Itoa(s.Numbers), strconv.Itoa(s.Withheld),
				optionalFloat(s.Sum), optionalFloat(s.Mean), optionalFloat(s.Low), optionalFloat(s.High)))
		}
	}
	c.Flush()
	return c.Error()
}

// The bounds of the page, chosen by hand: it is for reading, the CSV for all rows.
const rowsInPage = 1000

// WriteHTML writes one page without scripts: the days, the streams that lack most, and
// the sums of the last day.
func (l *Ledger) WriteHTML(w io.Writer) error {
	last := ""
	for _, r := range l.Rows {
		last = max(last, r.Day)
	}
	var sums []Row
	for _, r := range l.Rows {
		if r.Day == last && len(r.Sums) > 0 && len(sums) < rowsInPage {
			sums = append(sums, r)
		}
	}
	return ledgerPage.Execute(w, map[string]any{"L": l, "At": l.At.Format(time.RFC3339), "Totals": l.Totals(), "Worst": l.Worst(rowsInPage), "Last": last, "Sums": sums})
}

var ledgerPage = template.Must(template.New("ledger").Funcs(template.FuncMap{
	"reasons": Reasons, "day": orUnplaced, "num": optionalFloat,
}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>kerb: completeness ledger</title>
<style>
body{font:16px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#111;background:#fff}
table{border-collapse:collapse;margin:1rem 0;width:100%}
th,td{border-bottom:1px solid #bbb;padding:.25rem .5rem;text-align:right;vertical-align:top}
th:first-child,td:first-child,td.t,th.t{text-align:left}
caption{text-align:left;font-weight:bold;padding:.5rem 0}
.wrap{overflow-x:auto}
</style></head><body>
<h1>Completeness ledger</h1>
<p>At {{.At}}. Numbers of windows; a window that could not be observed is a gap and counts as received.
Missing windows have a number and are asked for again. Awaited ones are due after the last that came.
Gone ones the device has no longer. Clashes are windows that came under a number of another one, with other bytes:
two devices publish as one. Days are UTC. {{.L.Waiting}}.</p>
<div class="wrap"><table><caption>Days</caption>
<tr><th scope="col">day</th><th scope="col">streams</th><th scope="col">due</th><th scope="col">received</th><th scope="col">complete</th><th scope="col">gaps</th><th scope="col">gone</th><th scope="col">missing</th><th scope="col">awaited</th><th scope="col">unexplained</th><th scope="col">clashes</th></tr>
{{range .Totals}}<tr><td>{{day .Day}}</td><td>{{.Streams}}</td><td>{{.Due}}</td><td>{{.Received}}</td><td>{{printf "%.2f" .Completeness}} %</td><td>{{.Gaps}}</td><td>{{.Gone}}</td><td>{{.Missing}}</td><td>{{.Awaited}}</td><td>{{.Unexplained}}</td><td>{{.Clashes}}</td></tr>
{{end}}</table></div>
<div class="wrap"><table><caption>Streams that lack windows, or in which windows clash</caption>
<tr><th scope="col">day</th><th scope="col" class="t">stream</th><th scope="col">due</th><th scope="col">received</th><th scope="col">missing</th><th scope="col">awaited</th><th scope="col">unexplained</th><th scope="col">clashes</th><th scope="col" class="t">gone</th><th scope="col" class="t">answer of the device</th></tr>
{{range .Worst}}<tr><td>{{day .Day}}</td><td class="t">{{.Tenant}}/{{.Site}}/{{.Device}}/{{.Stream}}</td><td>{{.Due}}</td><td>{{.Received}}</td><td>{{.Missing}}</td><td>{{.Awaited}}</td><td>{{.Unexplained}}</td><td>{{.Clashes}}</td><td class="t">{{reasons .Gone}}</td><td class="t">{{.NoAnswer}}</td></tr>
{{else}}<tr><td colspan="10">None.</td></tr>
{{end}}</table></div>
<div class="wrap"><table><caption>Sums of {{day .Last}}, with 95 % intervals around the true numbers</caption>
<tr><th scope="col">stream</th><th scope="col" class="t">class</th><th scope="col" class="t">direction</th><th scope="col">sum</th><th scope="col">mean</th><th scope="col">low</th><th scope="col">high</th><th scope="col">withheld</th><th scope="col" class="t">gaps</th></tr>
{{range $r := .Sums}}{{range $r.Sums}}<tr><td>{{$r.Tenant}}/{{$r.Site}}/{{$r.Device}}/{{$r.Stream}}{{if $r.MadeUp}} (made up){{end}}</td><td class="t">{{.Class}}</td><td class="t">{{.Dir}}</td><td>{{num .Sum}}</td><td>{{num .Mean}}</td><td>{{num .Low}}</td><td>{{num .High}}</td><td>{{.Withheld}}</td><td class="t">{{reasons $r.Gaps}}</td></tr>
{{end}}{{end}}</table></div>
</body></html>
`))
