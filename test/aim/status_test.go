package aim

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The status page with three days of eight lines, as the test of its package writes it:
// every control of it is reached on screens of all sizes.
func TestTheStatusPageFitsEveryScreen(t *testing.T) {
	phone, look := telephone(t, "en"), newInspector(t)
	path := filepath.Join(t.TempDir(), "status.html")
	cmd := exec.Command("go", "test", "-count=1", "-run", "^TestThreeDaysOfEightLinesAreOneSmallPage$", "./agent/statuspage")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "KERB_PAGE="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("write the page: %v\n%s", err, out)
	}
	run(t, phone, "open the page", chromedp.Navigate("file://"+path), chromedp.WaitVisible("a.main"))
	look.look(phone, "status")
	look.findsPlantedOnStatus(phone)
	t.Logf("%d controls touched on %d screens", look.touched, look.screens)
}

// The status page with every advice fits the narrowest screen in every language: long words
// wrap. The control is a word that may not.
func TestTheStatusPageOfEveryLanguageFitsTheNarrowestScreen(t *testing.T) {
	phone, dir := telephone(t, "en"), t.TempDir()
	cmd := exec.Command("go", "test", "-count=1", "-run", "^TestEveryAdviceIsOnThePageInEveryLanguage$", "./agent/statuspage")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "KERB_PAGES="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("write the pages: %v\n%s", err, out)
	}
	const fits = `document.documentElement.scrollWidth <= 320`
	for _, lang := range []string{"de", "fi", "fr", "nl", "sv"} {
		run(t, phone, "open the page", emulate(320, 568), chromedp.Navigate("file://"+filepath.Join(dir, lang+".html")), chromedp.WaitVisible("a.main"))
		shoot(t, phone, "status-"+lang)
		var narrow, planted bool
		run(t, phone, "measure", chromedp.Evaluate(fits, &narrow),
			chromedp.Evaluate(`document.querySelector('.bad').style.cssText = 'width:400px'; `+fits, &planted))
		if !narrow || planted {
			t.Errorf("%s: fits %v, and with a planted width %v", lang, narrow, planted)
		}
	}
}

// findsPlantedOnStatus is the control of look on a page of links: one that is too small, one
// that something covers, a page that is too wide, and text that is too pale.
func (v *inspector) findsPlantedOnStatus(ctx context.Context) {
	v.t.Helper()
	run(v.t, ctx, "plant", chromedp.Evaluate(`(() => {
		document.querySelector('nav a').style.padding = '0';
		const main = document.querySelector('a.main');
		main.style.position = 'relative';
		main.insertAdjacentHTML('afterend', '<div style="position:relative;z-index:9;margin-top:-60px;height:60px"></div>');
		document.querySelector('h1').insertAdjacentHTML('afterend', '<p style="min-width:900px;color:#ccc">wide and pale</p>');
	})()`, nil))
	found := strings.Join(v.find(ctx, wide, high), "\n")
	wants := []string{"Deutsch is", "Download as CSV was not reached", "it scrolls sideways"}
	if v.axe != "" {
		wants = append(wants, "axe: color-contrast")
	}
	for _, want := range wants {
		if !strings.Contains(found, want) {
			v.t.Errorf("planted, and not found: %s\n%s", want, found)
		}
	}
}

// A policy that forbids the status page: the page for aiming says so in place of the link,
// the address is refused with a page, and the audit log has it, once.
func TestAPolicyForbidsTheStatusPage(t *testing.T) {
	phone, look := telephone(t, "en"), newInspector(t)
	k := aimUnder(t, build(t), site, "\n[status]\npage = false\n")
	first := k.next()
	run(t, phone, "enter", chromedp.Navigate(first.URLs[0]), chromedp.WaitVisible("#code"), chromedp.SendKeys("#code", first.Code), chromedp.Submit("#code"), chromedp.WaitVisible("#stage"))
	holds(t, phone, "it is told", `document.getElementById('done').textContent.includes('The policy forbids the status page.') && !document.querySelector('a[href^="/status/"]')`)
	for range 2 {
		run(t, phone, "the status page", chromedp.Navigate(first.URLs[0]+"status/?lang=en"), chromedp.WaitVisible(".verdict"))
		holds(t, phone, "it is refused", `document.querySelector('.verdict').textContent === 'The policy of this device forbids the status page.'`)
	}
	look.look(phone, "status-refused")
	out, err := exec.Command(k.bin, "audit", "list", "-site", filepath.Join(k.dir, "site.toml")).CombinedOutput()
	if err != nil || strings.Count(string(out), "aim_page_refused") != 1 {
		t.Errorf("the audit log, %v:\n%s", err, out)
	}
}
