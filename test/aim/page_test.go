package aim

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// From ladder to counting: the whole way of an engineer, with thumbs.
func TestFromTheLadderToCounting(t *testing.T) {
	phone := telephone(t, "en")
	k := aim(t, build(t), "-for", "20m")
	first := k.next()
	run(t, phone, "open the page", chromedp.Navigate(first.URLs[0]), chromedp.WaitVisible("#code"))
	shoot(t, phone, "1-enter")
	run(t, phone, "type the code", chromedp.SendKeys("#code", first.Code), chromedp.Submit("#code"), chromedp.WaitVisible("#stage"))
	k.next() // the next viewer's code
	holds(t, phone, "silhouettes come", `document.getElementById('picture').naturalWidth > 300`)
	holds(t, phone, "the camera delivers", `document.getElementById('veil').hidden`)

	tap(t, phone, `[data-tool="line"]`)
	thumb(t, phone, [2]float64{0.03, 0.6}, [2]float64{0.97, 0.6})
	name(t, phone, "Whole Street")
	shoot(t, phone, "2-line")
	tap(t, phone, `[data-tool="zone"]`)
	thumb(t, phone, [2]float64{0.3, 0.5}, [2]float64{0.7, 0.9})
	name(t, phone, "waiting")
	shoot(t, phone, "3-zone")

	// The line that was in the file is turned round, and then removed.
	run(t, phone, "pick the old line", chromedp.Click(`//ul[@id="items"]//button[text()="first"]`, chromedp.BySearch))
	tap(t, phone, "#swap")
	tap(t, phone, "#remove")

	tap(t, phone, "#tab-live")
	holds(t, phone, "something is counted", `[...document.querySelectorAll('#counts td')].some((e) => Number(e.textContent) > 0)`)
	shoot(t, phone, "4-counts")

	tap(t, phone, "#tab-draw")
	tap(t, phone, "#save")
	holds(t, phone, "it is saved", `document.getElementById('saved').textContent.startsWith('Saved')`)
	shoot(t, phone, "5-saved")
	file := text(t, filepath.Join(k.dir, "site.toml"))
	for _, want := range []string{"# The street camera of post 7.", "# the built-in street", `id = "whole-street"`, "from = [0.03, 0.6]", "to = [0.97, 0.6]", `id = "waiting"`, "[[0.3, 0.5], [0.7, 0.5], [0.7, 0.9], [0.3, 0.9]]"} {
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

	tap(t, phone, "#tab-hand")
	shoot(t, phone, "6-tally")
	tap(t, phone, "#hand-go")
	for range 22 {
		tap(t, phone, `#hand-keys [data-class="person"][data-dir="a_to_b"]`)
	}
	holds(t, phone, "22 presses", `document.getElementById('hand-sum').textContent.startsWith('22')`)
	shoot(t, phone, "7-keys")
	tap(t, phone, "#hand-end")
	holds(t, phone, "a verdict", `!!document.querySelector('.verdict h2')`)
	shoot(t, phone, "8-verdict")
	tap(t, phone, "#accept")
	holds(t, phone, "kept", `document.querySelector('#accept').disabled`)
	var kept []struct {
		Stream   string
		Passages int
	}
	if err := json.Unmarshal([]byte(text(t, filepath.Join(k.dir, "state", "acceptance.json"))), &kept); err != nil || len(kept) != 1 || kept[0].Stream != "whole-street" || kept[0].Passages != 20 {
		t.Errorf("the acceptance record: %+v, %v", kept, err)
	}

	tap(t, phone, "#tab-done")
	shoot(t, phone, "9-finish")
	tap(t, phone, "#end")
	holds(t, phone, "it asks again", `document.querySelector('#end').classList.contains('sure')`)
	tap(t, phone, "#end")
	if l := k.next(); l.Ended != "ended" {
		t.Errorf("it says: %+v", l)
	}
	if err := k.cmd.Wait(); err != nil {
		t.Errorf("kerb aim: %v", err)
	}
	shoot(t, phone, "10-over")
	out, err := exec.Command(k.bin, "audit", "list", "-site", filepath.Join(k.dir, "site.toml")).CombinedOutput()
	for _, want := range []string{"aim_start", "aim_entered", "aim_changed", "aim_accepted", "aim_end"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("the audit log lacks %s: %v\n%s", want, err, out)
		}
	}
}

// What a screen reader finds: every control has a role and a name, and the dots
// of a line say where they are.
func TestAScreenReaderAndAKeyboardCanUseThePage(t *testing.T) {
	phone := telephone(t, "fi")
	k := aim(t, build(t))
	first := k.next()
	run(t, phone, "enter", chromedp.Navigate(first.URLs[0]+"?lang=fi"), chromedp.WaitVisible("#code"), chromedp.SendKeys("#code", first.Code), chromedp.Submit("#code"), chromedp.WaitVisible("#stage"))
	holds(t, phone, "it is Finnish", `document.documentElement.lang === 'fi' && document.getElementById('save').textContent === 'Tallenna'`)
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
	shoot(t, phone, "11-finnish")
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

// A laptop has the picture and the panel beside each other, and nothing to
// scroll sideways for; the telephone has nothing either.
func TestNothingLiesBesideTheScreen(t *testing.T) {
	screen := telephone(t, "en")
	k := aim(t, build(t), "-for", "10m")
	first := k.next()
	run(t, screen, "enter", chromedp.Navigate(first.URLs[0]), chromedp.WaitVisible("#code"),
		chromedp.SendKeys("#code", first.Code), chromedp.Submit("#code"), chromedp.WaitVisible("#stage"))
	holds(t, screen, "silhouettes come", `document.getElementById('picture').naturalWidth > 300`)
	const fits = `document.documentElement.scrollWidth <= innerWidth`
	holds(t, screen, "it fits a telephone", fits)
	run(t, screen, "a laptop", chromedp.EmulateViewport(1280, 800))
	holds(t, screen, "it fits a laptop", fits)
	for _, tab := range []string{"draw", "live", "hand"} {
		run(t, screen, "another tab", chromedp.Evaluate(`document.getElementById('tab-`+tab+`').click()`, nil))
		holds(t, screen, "the panel is beside the picture", `(() => {
			const stage = document.getElementById('stage').getBoundingClientRect(), panels = document.querySelector('.panels').getBoundingClientRect();
			return stage.right <= panels.left + 1 && panels.right <= innerWidth && stage.width > 600 && stage.bottom <= innerHeight;
		})()`)
		shoot(t, screen, "laptop-"+tab)
	}
}
