package aim

import (
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is for a device that is emulated on a machine with other things to do.
const patience = 15 * time.Minute

// A telephone at a page that something else serves: the image in its virtual machine
// (test/image), which gives the address and the code that the device showed.
func TestAPhoneAimsAtADevice(t *testing.T) {
	page, code := os.Getenv("KERB_AIM_PAGE"), os.Getenv("KERB_AIM_CODE")
	if page == "" || code == "" {
		t.Skip("KERB_AIM_PAGE and KERB_AIM_CODE name no page and no code: make image-vm gives them")
	}
	began := time.Now()
	step := func(what string) { t.Logf("%6.1f s  %s", time.Since(began).Seconds(), what) }
	phone := telephone(t, "en")
	run(t, phone, "open the page", chromedp.Navigate(page), chromedp.WaitVisible("#code"))
	step("the page asks for the code")
	run(t, phone, "type the code", chromedp.SendKeys("#code", code), chromedp.Submit("#code"), chromedp.WaitVisible("#stage"))
	step("the code is accepted")
	holdsWithin(t, phone, patience, "silhouettes come", `document.getElementById('picture').naturalWidth > 300`)
	holdsWithin(t, phone, patience, "the camera delivers", `document.getElementById('veil').hidden`)
	step("silhouettes come")
	tap(t, phone, `[data-tool="line"]`)
	tap(t, phone, `[data-preset="all"]`)
	thumb(t, phone, [2]float64{0.03, 0.6}, [2]float64{0.97, 0.6})
	name(t, phone, "Whole Street")
	step("a line is drawn")
	tapPath(t, phone, button("items", "first"))
	tap(t, phone, "#remove")
	tap(t, phone, "#save")
	holdsWithin(t, phone, patience, "it is saved", `document.getElementById('save').textContent === 'Saved'`)
	step("saved")
	tap(t, phone, "#tab-live")
	holdsWithin(t, phone, patience, "something is counted", `[...document.querySelectorAll('#counts td')].some((e) => Number(e.textContent) > 0)`)
	step("the line counts")
	tap(t, phone, "#tab-hand")
	tap(t, phone, "#hand-go")
	for pressed := 0; pressed < 20; { // the device answers late
		tap(t, phone, `#hand-keys [data-class="person"][data-dir="a_to_b"]`)
		run(t, phone, "the sum", chromedp.Evaluate(`parseInt(document.getElementById('hand-sum').textContent) || 0`, &pressed))
	}
	tap(t, phone, "#hand-end")
	holdsWithin(t, phone, patience, "a verdict", `!!document.querySelector('.verdict h2')`)
	tap(t, phone, "#accept")
	holdsWithin(t, phone, patience, "kept", `document.getElementById('hand-result').textContent.includes('Kept')`)
	step("a tally by hand is kept")
	tap(t, phone, "#tab-done")
	tap(t, phone, "#end")
	tapPath(t, phone, button("ask", "End the session"))
	// The device serves no longer than two seconds after the end: a slow one is gone before
	// the page has heard of it.
	holdsWithin(t, phone, patience, "it is over", `/^The (session is over|connection to the device is lost)/.test(document.getElementById('banner').textContent)`)
	step("the session is ended")
}
