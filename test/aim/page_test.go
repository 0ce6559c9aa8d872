package aim

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// From ladder to counting: the whole way of an engineer, with thumbs, and each step looked
// at on screens of all sizes.
func TestFromTheLadderToCounting(t *testing.T) {
	phone, look := telephone(t, "en"), newInspector(t)
	k := aim(t, build(t), "-for", "15m")
	first := k.next()
	run(t, phone, "open the page", chromedp.Navigate(first.URLs[0]), chromedp.WaitVisible("#code"))
	look.look(phone, "1-enter")
	run(t, phone, "a wrong code", chromedp.SendKeys("#code", wrongCode(first.Code)), chromedp.Submit("#code"), chromedp.WaitVisible("#wrong"))
	holds(t, phone, "it says how many tries are left", `document.getElementById('wrong').textContent.includes('4 of 5 tries')`)
	run(t, phone, "type the code", chromedp.SendKeys("#code", first.Code), chromedp.Submit("#code"), chromedp.WaitVisible("#stage"))
	k.next() // the next viewer's code
	holds(t, phone, "silhouettes come", `document.getElementById('picture').naturalWidth > 300`)
	holds(t, phone, "the camera delivers", `document.getElementById('veil').hidden`)
	look.look(phone, "2-page")
	look.findsPlanted(phone)

	drawWithPresets(t, phone, look)
	mendAndUndo(t, phone, look)
	saveLines(t, phone, k)
	tallyByHand(t, phone, k, look)
	endSession(t, phone, k, look)
	t.Logf("%d controls touched on %d screens", look.touched, look.screens)
}

// wrongCode returns another code of six digits.
func wrongCode(code string) string {
	if code[0] == '9' {
		return "1" + code[1:]
	}
	return "9" + code[1:]
}

// drawWithPresets draws a line and a zone by their presets, and changes the line that was in the file.
func drawWithPresets(t *testing.T, phone context.Context, look *inspector) {
	t.Helper()
	tap(t, phone, `[data-tool="line"]`)
	look.look(phone, "3-presets")
	tap(t, phone, `[data-preset="all"]`)
	thumb(t, phone, [2]float64{0.03, 0.6}, [2]float64{0.97, 0.6})
	holds(t, phone, "it is called a line", `document.getElementById('name').value === 'line'`)
	name(t, phone, "Whole Street")
	look.look(phone, "4-line")
	tap(t, phone, `[data-tool="zone"]`)
	tap(t, phone, `[data-preset="waiting"]`)
	thumb(t, phone, [2]float64{0.3, 0.5}, [2]float64{0.7, 0.9})
	// People are counted at the two lines already, as often as the policy allows.
	holds(t, phone, "Save tells of one mistake", `document.getElementById('save').textContent.startsWith('1 mistake') && document.getElementById('save').classList.contains('bad-bar')`)
	holds(t, phone, "in a phone's words", `document.querySelector('.wrong p').textContent === 'People are counted in 3 places, the policy allows 2. Take them off 1:'`)
	look.look(phone, "5-mistake")
}

// button is the path of a button by its words.
func button(within, words string) string {
	return fmt.Sprintf("//*[@id=%q]//button[normalize-space(.)=%q]", within, words)
}

// mendAndUndo mends the mistake with its button, takes that back, mends it again, and
// removes the line that was in the file.
func mendAndUndo(t *testing.T, phone context.Context, look *inspector) {
	t.Helper()
	tap(t, phone, "#save") // shows the mistake
	mended := `document.querySelectorAll('.wrong').length === 0 && document.getElementById('save').textContent === 'Save'`
	press := func() {
		tapPath(t, phone, button("wrongs", "Off first"))
		holds(t, phone, "it is mended, and the line counts nothing", `document.querySelector('.wrong p')?.textContent === 'first counts nothing.'`)
	}
	press()
	tap(t, phone, "#undo")
	holds(t, phone, "the step is undone", `document.querySelector('.wrong p')?.textContent.startsWith('People are counted in 3')`)
	press()
	tapPath(t, phone, button("items", "first"))
	tap(t, phone, "#swap")
	tap(t, phone, "#remove")
	holds(t, phone, "nothing is wrong any more", mended)
	tapPath(t, phone, button("items", "waiting-area"))
	look.look(phone, "6-zone")
	tap(t, phone, "#tab-live")
	holds(t, phone, "something is counted", `[...document.querySelectorAll('#counts td')].some((e) => Number(e.textContent) > 0)`)
	look.look(phone, "7-counts")
}

// saveLines saves, and finds the drawn lines in the file.
func saveLines(t *testing.T, phone context.Context, k *kerb) {
	t.Helper()
	tap(t, phone, "#tab-draw")
	tap(t, phone, "#save")
	holds(t, phone, "it is saved", `document.getElementById('save').textContent === 'Saved'`)
	file := text(t, filepath.Join(k.dir, "site.toml"))
	for _, want := range []string{"# The street camera of post 7.", "# the built-in street", `id = "whole-street"`, "from = [0.03, 0.6]", "to = [0.97, 0.6]", `id = "waiting-area"`, "[[0.3, 0.5], [0.7, 0.5], [0.7, 0.9], [0.3, 0.9]]"} {
		if !strings.Contains(file, want) {
			t.Errorf("site.toml lacks %s:\n%s", want, file)
		}
	}
	if strings.Contains(file, `"first"`) || text(t, filepath.Join(k.dir, "site.toml.old")) != strings.TrimSpace(site) {
		t.Errorf("the old line stays, or the old file does not:\n%s", file)
	}
	if out, err := exec.Command(k.bin, "check", "-site", filepath.Join(k.dir, "site.toml"), "-policy", filepath.Join(k.dir, "policy.toml")).CombinedOutput(); err != nil {
		t.Errorf("kerb check: %v\n%s", err, out)
	}
}

// tallyByHand counts by hand, keeps the result, and asks for more time.
func tallyByHand(t *testing.T, phone context.Context, k *kerb, look *inspector) {
	t.Helper()
	tap(t, phone, "#tab-hand")
	look.look(phone, "8-tally")
	tap(t, phone, "#hand-go")
	for range 22 {
		tap(t, phone, `#hand-keys [data-class="person"][data-dir="a_to_b"]`)
	}
	holds(t, phone, "22 presses", `document.getElementById('hand-sum').textContent.startsWith('22')`)
	// The line goes from left to right: its arrow, a_to_b, points down, which is nearer.
	holds(t, phone, "the key says where to", `document.querySelector('#hand-keys [data-dir="a_to_b"]').textContent === '22 person, towards the camera'`)
	holds(t, phone, "and its arrow points there", `document.querySelector('#hand-keys [data-dir="a_to_b"] path').getAttribute('transform') === 'rotate(90 12 12)'`)
	look.look(phone, "9-keys")
	tap(t, phone, "#more")
	holds(t, phone, "ten minutes more", `parseInt(document.getElementById('left').textContent) > 15`)
	tap(t, phone, "#hand-end")
	holds(t, phone, "a verdict", `!!document.querySelector('.verdict h2')`)
	holds(t, phone, "no hourly flow of less than a quarter of an hour", `!document.getElementById('hand-result').textContent.includes('GEH')`)
	look.look(phone, "10-verdict")
	tap(t, phone, "#accept")
	holds(t, phone, "kept", `document.querySelector('#accept').disabled && document.getElementById('hand-result').textContent.includes('Kept')`)
	var kept []struct {
		Stream   string
		Passages int
	}
	if err := json.Unmarshal([]byte(text(t, filepath.Join(k.dir, "state", "acceptance.json"))), &kept); err != nil || len(kept) != 1 || kept[0].Stream != "whole-street" || kept[0].Passages != 20 {
		t.Errorf("the acceptance record: %+v, %v", kept, err)
	}
	tap(t, phone, "#tab-done")
	holds(t, phone, "the result is named", `/Tally, whole-street: (Good|Poor|Undecided), .*; kept/.test(document.getElementById('checklist').textContent)`)
	look.look(phone, "11-finish")
}

// endSession ends the session with a line that is not saved and a tally that runs: the page
// asks about the one, and shows the result of the other.
func endSession(t *testing.T, phone context.Context, k *kerb, look *inspector) {
	t.Helper()
	tap(t, phone, "#tab-draw")
	tap(t, phone, `[data-tool="mask"]`)
	thumb(t, phone, [2]float64{0.02, 0.02}, [2]float64{0.3, 0.3})
	holds(t, phone, "not saved", `document.getElementById('save').textContent === 'Save'`)
	tap(t, phone, "#tab-done")
	tap(t, phone, "#end")
	holds(t, phone, "it asks", `document.getElementById('ask-text').textContent === 'The lines are not saved.'`)
	look.look(phone, "12-ask")
	tapPath(t, phone, button("ask", "Back"))
	tap(t, phone, "#save")
	holds(t, phone, "saved", `document.getElementById('savebar').hidden`)
	tap(t, phone, "#tab-hand")
	tap(t, phone, "#hand-again")
	tap(t, phone, "#hand-go")
	tap(t, phone, `#hand-keys [data-class="person"][data-dir="b_to_a"]`)
	tap(t, phone, "#tab-done")
	tap(t, phone, "#end")
	tapPath(t, phone, button("ask", "End the session"))
	if l := k.next(); l.Ended != "ended" {
		t.Errorf("it says: %+v", l)
	}
	if err := k.cmd.Wait(); err != nil {
		t.Errorf("kerb aim: %v", err)
	}
	holds(t, phone, "the tally is finished and shown", `document.querySelector('.verdict h2')?.textContent === 'Too few to tell' && document.getElementById('banner').textContent.startsWith('The session is over')`)
	shoot(t, phone, "13-over")
	out, err := exec.Command(k.bin, "audit", "list", "-site", filepath.Join(k.dir, "site.toml")).CombinedOutput()
	for _, want := range []string{"aim_start", "aim_entered", "aim_changed", "aim_extended", "aim_accepted", "aim_end"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("the audit log lacks %s: %v\n%s", want, err, out)
		}
	}
}

// A screen reader finds a role and a name for every control, and the dots
// of a line say where they are.
func TestAScreenReaderAndAKeyboardCanUseThePage(t *testing.T) {
	phone := telephone(t, "fi")
	k := aim(t, build(t))
	first := k.next()
	run(t, phone, "enter", chromedp.Navigate(first.URLs[0]+"?lang=fi"), chromedp.WaitVisible("#code"), chromedp.SendKeys("#code", first.Code), chromedp.Submit("#code"), chromedp.WaitVisible("#stage"))
	holds(t, phone, "it is Finnish", `document.documentElement.lang === 'fi' && document.getElementById('tab-draw').textContent.trim() === 'Piirrä'`)
	holds(t, phone, "the plan is there", `document.getElementById('items').textContent.includes('first')`)
	// A line from the keyboard: Enter on the tool twice, then arrows on a dot.
	run(t, phone, "a line", chromedp.Focus(`[data-tool="line"]`), chromedp.KeyEvent("\r"), chromedp.KeyEvent("\r"), chromedp.WaitReady(".handle.dot"))
	run(t, phone, "move a dot", chromedp.Focus(".handle.dot"), chromedp.KeyEvent("ArrowDown"))
	run(t, phone, "arrows", chromedp.Evaluate(`document.querySelector('.handle.dot').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }))`, nil))
	holds(t, phone, "the dot says where it is", `/25 % vasemmalta, 6[1-9] % ylhäältä/.test(document.querySelector('.handle.dot').getAttribute('aria-label'))`)
	for _, tab := range []string{"draw", "live", "hand", "done"} {
		tap(t, phone, "#tab-"+tab)
		found := named(t, phone)
		if found["tab"] != 4 || found["button"] < 1 {
			t.Errorf("on %s: %v", tab, found)
		}
	}
	tap(t, phone, "#tab-draw")
	tap(t, phone, "#save") // else the browser asks before it leaves
	holds(t, phone, "it is saved", `document.getElementById('save').textContent === 'Tallennettu'`)
	wordsFit(t, phone, first.URLs[0])
}

// A tool waits for the plan: a line that is drawn before would be sent as the whole plan,
// without the lines of the file.
func TestNothingIsDrawnBeforeThePlanIsThere(t *testing.T) {
	phone := telephone(t, "en")
	k := aim(t, build(t))
	first := k.next()
	held := make(chan fetch.RequestID, 1)
	chromedp.ListenTarget(phone, func(e any) {
		if p, ok := e.(*fetch.EventRequestPaused); ok {
			held <- p.RequestID
		}
	})
	run(t, phone, "enter", fetch.Enable().WithPatterns([]*fetch.RequestPattern{{URLPattern: "*/plan"}}), chromedp.Navigate(first.URLs[0]),
		chromedp.WaitVisible("#code"), chromedp.SendKeys("#code", first.Code), chromedp.Submit("#code"), chromedp.WaitVisible("#stage"))
	id := <-held // the page waits for its plan
	const press = `document.querySelectorAll('[data-tool]').forEach((b) => { b.click(); b.click(); }); document.querySelectorAll('.handle.dot').length`
	holds(t, phone, "no tool draws", press+` === 0`)
	run(t, phone, "the plan comes", fetch.ContinueRequest(id))
	holds(t, phone, "with the line of the file", `document.getElementById('items').textContent === 'first'`)
	holds(t, phone, "and the tools draw", press+` > 0`)
}

// wordsFit opens every tab in each language, on the narrowest screens: no word is wider than
// its place.
func wordsFit(t *testing.T, phone context.Context, page string) {
	t.Helper()
	for _, lang := range []string{"en", "de", "fr", "nl", "fi", "sv"} {
		run(t, phone, "the page in "+lang, chromedp.Navigate(page+"?lang="+lang), chromedp.WaitVisible("#items button"), chromedp.Evaluate(reachScript, nil))
		for _, size := range []struct{ wide, high int64 }{{320, 568}, {640, 360}} {
			run(t, phone, "a screen", emulate(size.wide, size.high))
			for _, tab := range []string{"draw", "live", "hand", "done"} {
				var found []string
				run(t, phone, "tab "+tab, chromedp.Evaluate(`document.getElementById('tab-`+tab+`').click()`, nil), chromedp.Evaluate(`reach.frame()`, &found))
				if len(found) > 0 {
					t.Errorf("%s, %d×%d, %s: %q", lang, size.wide, size.high, tab, found)
				}
				shoot(t, phone, fmt.Sprintf("%s-%s-%dx%d", lang, tab, size.wide, size.high))
			}
		}
	}
}

// named is how many controls of each role the accessibility tree has. One
// without a name is a mistake: a screen reader would say "button".
func named(t *testing.T, ctx context.Context) map[string]int {
	t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored bool `json:"ignored"`
			Role    said `json:"role"`
			Name    said `json:"name"`
		} `json:"nodes"`
	}
	run(t, ctx, "the accessibility tree", chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, "Accessibility.getFullAXTree", nil, &tree)
	}))
	found := map[string]int{}
	for _, n := range tree.Nodes {
		role, _ := n.Role.Value.(string)
		name, _ := n.Name.Value.(string)
		switch role {
		case "button", "tab", "link", "textbox", "checkbox", "spinbutton", "combobox", "image", "progressbar", "tabpanel":
			if n.Ignored {
				continue
			}
			found[role]++
			if strings.TrimSpace(name) == "" {
				t.Errorf("a %s without a name", role)
			}
		}
	}
	return found
}

// said is a value of the accessibility tree.
type said struct {
	Value any `json:"value"`
}

// name types a name over the one that is there.
func name(t *testing.T, ctx context.Context, as string) {
	t.Helper()
	run(t, ctx, "name it "+as, chromedp.WaitVisible("#name"),
		chromedp.Evaluate(`(() => { const e = document.getElementById('name'); e.focus(); e.select(); })()`, nil),
		input.InsertText(as))
}
