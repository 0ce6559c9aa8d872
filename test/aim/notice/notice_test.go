// Package notice looks at the sign and the page of kerb record as people and machines do: a
// real Chromium renders and prints them, zbar reads the QR code, and axe-core searches for
// what keeps people with disabilities out.
package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

const site = `[device]
name = "pi-0a1b"
site = "high-street"
tenant = "camden"
state = "state"
[device.place]
description = "High Street, corner of Park Road"
[broker]
url = "mqtts://broker.example.org:8883"
[[camera]]
name = "north"
source = "http://camera.example.org/video"
[[camera.line]]
id = "path"
from = [0.02, 0.97]
to = [0.3, 0.97]
classes = ["person", "bicycle", "vehicle"]
[[loop.line]]
name = "L1"
gpio = "GPIO17"
[[loop.lane]]
id = "lane"
loops = ["L1"]
loop_length = 2.0
`

// The declared answers are long, so that the sign is full.
const declared = `schema = "kerb.declared/1"
[controller]
name = "The Council of the Borough of Somewhere, Department of Streets and Public Space"
contact = "street-counting@council.example.org"
[notice]
url = "https://www.council.example.org/streets/counting/{code}"
why = "To see where pavements and crossings need more room, and whether last year's changes help those who walk and cycle"
objection = "Write to us. You need not give a reason."
[law]
basis = "A task carried out in the public interest: Article 6(1)(e) of the UK GDPR with section 122 of the Road Traffic Regulation Act 1984"
`

const windows = `{"schema":"kerb.count/1","device":"pi-0a1b","stream":"path","start":"2026-11-30T10:00:00Z","end":"2026-11-30T10:15:00Z","quality":"ok","counts":[{"class":"person","dir":"a_to_b","n":41},{"class":"bicycle","dir":"a_to_b","below":5}]}
`

// made is a folder with the record, the signs and the pages.
type made struct {
	dir, bin string
	record   struct {
		Device struct{ Code struct{ Value string } }
		Policy struct{ Hash struct{ Value string } }
	}
}

func makeAll(t *testing.T) *made {
	t.Helper()
	m := &made{dir: t.TempDir()}
	m.bin = filepath.Join(m.dir, "kerb")
	cmd := exec.Command("go", "build", "-o", m.bin, "./agent")
	cmd.Dir = filepath.Join("..", "..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build kerb: %v\n%s", err, out)
	}
	policy, err := os.ReadFile(filepath.Join(cmd.Dir, "configs", "policy-standard.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"site.toml": site, "policy.toml": string(policy), "declared.toml": declared, "windows": windows} {
		if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.run(t, "record.json", "-site", "site.toml", "-policy", "policy.toml", "-declared", "declared.toml")
	data, err := os.ReadFile(filepath.Join(m.dir, "record.json"))
	if err != nil || json.Unmarshal(data, &m.record) != nil {
		t.Fatal(err)
	}
	return m
}

// run writes the output of kerb record to a file, and returns its address.
func (m *made) run(t *testing.T, file string, args ...string) string {
	t.Helper()
	cmd := exec.Command(m.bin, append([]string{"record"}, args...)...)
	cmd.Dir = m.dir
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kerb record %v: %v\n%s", args, err, words.String())
	}
	path := filepath.Join(m.dir, file)
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

// tool returns the path of a program or of a file, or skips the test; in CI it fails.
func tool(t *testing.T, what, hint string, look func() (string, error)) string {
	t.Helper()
	path, err := look()
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no %s: .ci/run installs it", what)
	}
	t.Skipf("SKIPPED: no %s: %s", what, hint)
	return ""
}

func browser(t *testing.T) context.Context {
	t.Helper()
	path := tool(t, "chromium", "apt-get install chromium", func() (string, error) { return exec.LookPath("chromium") })
	profile, err := os.MkdirTemp("", "kerb-notice-chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the last of its processes may still write while the first is gone
		for end := time.Now().Add(time.Minute); os.RemoveAll(profile) != nil && time.Now().Before(end); {
			time.Sleep(100 * time.Millisecond)
		}
	})
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(profile), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx, chromedp.EmulateViewport(600, 900)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// keep writes a screenshot to the folder that KERB_SHOTS names.
func keep(t *testing.T, name string, png []byte) {
	t.Helper()
	if dir := os.Getenv("KERB_SHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
			t.Error(err)
		}
	}
}

func languages() []string { return []string{"en", "fi", "nl", "de", "fr"} }

// lettersOf gives the smallest letter in points, and the texts that leave the sheet or
// cross the QR code.
const lettersOf = `(() => {
	const svg = document.querySelector('svg'), sheet = svg.getBoundingClientRect(), qr = document.querySelector('g[role=img]').getBoundingClientRect();
	const scale = svg.getScreenCTM().a; let smallest = 999; const outside = [];
	for (const e of document.querySelectorAll('text')) {
		smallest = Math.min(smallest, parseFloat(getComputedStyle(e).fontSize) * scale * 0.75);
		const r = e.getBoundingClientRect();
		const crosses = r.left < qr.right && r.right > qr.left && r.top < qr.bottom && r.bottom > qr.top;
		if (r.left < sheet.left || r.right > sheet.right - 4 || r.bottom > sheet.bottom || crosses) outside.push(e.textContent);
	}
	return { smallest, outside, lines: document.querySelectorAll('text').length };
})()`

// One kerb and one browser serve all tests.
func TestSignAndPage(t *testing.T) {
	ctx, m := browser(t), makeAll(t)
	t.Run("the sign is readable by people and phones", func(t *testing.T) { testSign(t, ctx, m) })
	t.Run("nobody is kept out", func(t *testing.T) { testAccess(t, ctx, m) })
	t.Run("a scanned sign is confirmed", func(t *testing.T) { testConfirmation(t, ctx, m) })
}

// The sign in every language: its QR code leads to the page, nothing leaves the sheet, no
// letter is smaller than nine points, and it prints on one sheet of A5 and of A4.
func testSign(t *testing.T, ctx context.Context, m *made) {
	t.Helper()
	zbar := tool(t, "zbarimg", "apt-get install zbar-tools", func() (string, error) { return exec.LookPath("zbarimg") })
	want := fmt.Sprintf("https://www.council.example.org/streets/counting/%s#%s", m.record.Device.Code.Value, strings.Replace(m.record.Policy.Hash.Value, ":", "-", 1))
	for _, lang := range languages() {
		at := m.run(t, "sign-"+lang+".html", "-from", "record.json", "-sign", "-lang", lang)
		var found struct {
			Smallest float64
			Outside  []string
			Lines    int
		}
		var png, pdf []byte
		do(t, ctx, chromedp.Navigate(at), chromedp.Evaluate(lettersOf, &found), chromedp.FullScreenshot(&png, 100), printed(&pdf))
		keep(t, "sign-"+lang, png)
		if found.Smallest < 9 || len(found.Outside) > 0 || found.Lines < 15 {
			t.Errorf("%s: the smallest letter has %.2f points, %d lines; out of place: %q", lang, found.Smallest, found.Lines, found.Outside)
		}
		if pages, box := sheets(pdf); pages != 1 || box != "148x210" {
			t.Errorf("%s: it prints on %d sheets of %s mm", lang, pages, box)
		}
		shot := filepath.Join(m.dir, "sign-"+lang+".png")
		if err := os.WriteFile(shot, png, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(zbar, "-q", "--raw", shot).Output()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: zbar reads %q, %v; want %q", lang, out, err, want)
		}
	}
	var pdf []byte
	do(t, ctx, chromedp.Navigate(m.run(t, "a4.html", "-from", "record.json", "-sign", "-paper", "a4")), printed(&pdf))
	if pages, box := sheets(pdf); pages != 1 || box != "210x297" {
		t.Errorf("A4: %d sheets of %s mm", pages, box)
	}
	// The SVG alone is read as well, and shows the same code.
	var png []byte
	do(t, ctx, chromedp.Navigate(m.run(t, "sign.svg", "-from", "record.json", "-sign", "-svg")), chromedp.CaptureScreenshot(&png))
	shot := filepath.Join(m.dir, "svg.png")
	if err := os.WriteFile(shot, png, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(zbar, "-q", "--raw", shot).Output(); err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("SVG: zbar reads %q, %v", out, err)
	}
}

func printed(pdf *[]byte) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) (err error) {
		*pdf, _, err = page.PrintToPDF().WithPreferCSSPageSize(true).WithPrintBackground(true).Do(ctx)
		return err
	})
}

// sheets counts the pages of a PDF, and gives the size of the first in millimetres.
func sheets(pdf []byte) (n int, box string) {
	n = len(regexp.MustCompile(`/Type\s*/Page\b[^s]`).FindAll(pdf, -1))
	if m := regexp.MustCompile(`/MediaBox\s*\[\s*0 0 ([0-9.]+) ([0-9.]+)`).FindSubmatch(pdf); m != nil {
		var w, h float64
		if _, err := fmt.Sscan(string(m[1]), &w); err == nil {
			_, _ = fmt.Sscan(string(m[2]), &h)
		}
		box = fmt.Sprintf("%.0fx%.0f", w*25.4/72, h*25.4/72)
	}
	return n, box
}

// axe-core finds nothing on page, sign and DPIA pack, and finds the planted fault.
func testAccess(t *testing.T, ctx context.Context, m *made) {
	t.Helper()
	path := tool(t, "axe-core", "cd test/wire && npm ci", func() (string, error) {
		path := filepath.Join("..", "..", "wire", "node_modules", "axe-core", "axe.min.js")
		if other := os.Getenv("KERB_AXE"); other != "" {
			path = other
		}
		_, err := os.Stat(path)
		return path, err
	})
	script, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	violations := func(at string) (found []string) {
		do(t, ctx, chromedp.Navigate(at), chromedp.Evaluate(string(script), nil),
			chromedp.Evaluate(`axe.run().then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ')).join('; ')))`, &found, awaited))
		return found
	}
	for _, lang := range languages() {
		at := m.run(t, "page-"+lang+".html", "-from", "record.json", "-page", "-lang", lang, "-windows", "windows")
		if found := violations(at); len(found) > 0 {
			t.Errorf("page %s: %q", lang, found)
		}
		var png []byte
		do(t, ctx, chromedp.FullScreenshot(&png, 100))
		keep(t, "page-"+lang, png)
	}
	if found := violations(m.run(t, "sign.html", "-from", "record.json", "-sign")); len(found) > 0 {
		t.Errorf("sign: %q", found)
	}
	if found := violations(m.run(t, "dpia.html", "-from", "record.json", "-as", "dpia")); len(found) > 0 {
		t.Errorf("DPIA pack: %q", found)
	}
	// The control: a page without a language, and with grey text on white.
	text, err := os.ReadFile(filepath.Join(m.dir, "page-en.html"))
	if err != nil {
		t.Fatal(err)
	}
	spoilt := strings.Replace(strings.Replace(string(text), ` lang="en"`, "", 1), "color: #1a1a1a", "color: #bbbbbb", 1)
	if err := os.WriteFile(filepath.Join(m.dir, "spoilt.html"), []byte(spoilt), 0o600); err != nil {
		t.Fatal(err)
	}
	if found := violations("file://" + filepath.Join(m.dir, "spoilt.html")); len(found) < 2 {
		t.Errorf("planted: %q", found)
	}
}

// A scanned sign shows on the page whether its rules are in force, without a script, and a
// narrow telephone has no sideways scroll.
func testConfirmation(t *testing.T, ctx context.Context, m *made) {
	t.Helper()
	at := m.run(t, "page.html", "-from", "record.json", "-page", "-windows", "windows")
	hash := strings.Replace(m.record.Policy.Hash.Value, ":", "-", 1)
	for fragment, confirmed := range map[string]bool{hash: true, "sha256-" + strings.Repeat("0", 64): false, "": false} {
		var state struct{ Green, Other, Wide bool }
		do(t, ctx, chromedp.EmulateViewport(320, 640), chromedp.Navigate("about:blank"), chromedp.Navigate(at+"#"+fragment), chromedp.Evaluate(`(() => {
			const shown = (s) => getComputedStyle(document.querySelector(s)).display !== 'none';
			return { Green: shown('.matches'), Other: shown('.sign'), Wide: document.documentElement.scrollWidth > innerWidth };
		})()`, &state))
		if state.Green != confirmed || state.Other == confirmed || state.Wide {
			t.Errorf("#%s: %+v", fragment, state)
		}
	}
}
