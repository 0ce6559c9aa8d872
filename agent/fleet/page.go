package fleet

import (
	"bytes"
	"html/template"
	"os"
)

// pageTemplate is the page of kerb fleet check: sums, then all problems, for printing.
var pageTemplate = template.Must(template.New("fleet").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>kerb: {{.Health.Devices}} devices</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}
table{border-collapse:collapse;width:100%;margin:0 0 2rem}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}code{overflow-wrap:anywhere}
</style>
<h1>{{.Health.Devices}} devices, {{.Health.Online}} online</h1>
<p>As of {{.Health.At.UTC.Format "2006-01-02 15:04:05"}} UTC, by the retained messages state and meta{{with .Health.Unjudged}}; not judged without a ledger: {{range $i, $w := .}}{{if $i}}, {{end}}{{$w}}{{end}}{{end}}.</p>
<h2>Problems</h2>
{{if .Health.Problems}}<table><tr><th>devices<th>problem<th>to do</tr>
{{range .Words}}{{with index $.Health.Counts .Word}}<tr><td class="n">{{.}}{{end}}{{if index $.Health.Counts .Word}}<td>{{.Word}}<td>{{.Meaning}}</tr>
{{end}}{{end}}</table>
<table><tr><th>device<th>problem<th>what it tells</tr>
{{range .Health.Problems}}<tr><td><code>{{.Device}}</code><td>{{.Word}}<td>{{.Text}}</tr>
{{end}}</table>{{else}}<p>None.</p>{{end}}
<h2>What runs</h2>
<table><tr><th>devices<th>version of kerb</tr>{{range $k, $n := .Health.Versions}}<tr><td class="n">{{$n}}<td>{{$k}}</tr>{{end}}</table>
<table><tr><th>devices<th>policy</tr>{{range $k, $n := .Health.Policies}}<tr><td class="n">{{$n}}<td><code>{{$k}}</code></tr>{{end}}</table>
<table><tr><th>devices<th>version of the platform's files; 0: their own</tr>{{range $k, $n := .Health.Sites}}<tr><td class="n">{{$n}}<td>{{$k}}</tr>{{end}}</table>
</html>
`))

// writePage writes the page where one was asked for.
func (c *CheckCommand) writePage(h *Health) error {
	if c.HTML == "" {
		return nil
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, map[string]any{"Health": h, "Words": problemWords}); err != nil {
		return err
	}
	return os.WriteFile(c.HTML, b.Bytes(), 0o644)
}
