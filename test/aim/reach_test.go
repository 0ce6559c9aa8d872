package aim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// sizes are the screens on which every control must be reachable: telephones upright and
// across, a laptop, and the smallest telephone in use.
var sizes = []struct{ wide, high int64 }{{360, 640}, {640, 360}, {844, 390}, {1280, 800}, {320, 568}}

// reachScript defines what inspect asks the page. While it listens, a click on anything is
// noted and has no effect: it stops before the page's own listeners.
const reachScript = `window.reach ??= (() => {
	let listens = false, hit = null;
	for (const kind of ['click', 'mousedown', 'pointerdown', 'keydown', 'change', 'input', 'submit']) {
		window.addEventListener(kind, (e) => {
			if (!listens) return;
			e.preventDefault();
			e.stopImmediatePropagation();
			if (kind === 'click') hit = e.target;
		}, { capture: true });
	}
	let all = [];
	const list = () => [...(document.querySelector('dialog[open]') ?? document).querySelectorAll('button, select, input:not([type=hidden]), a[href]')].filter((e) => !e.disabled && e.checkVisibility());
	const area = (e) => e.matches('input[type=checkbox]') ? e.closest('label') : e;
	const name = (e) => e.id || e.getAttribute('aria-label') || e.textContent || e.value;
	return {
		// start lists the controls that are shown.
		start() {
			all = list();
			listens = true;
			return all.length;
		},
		// show scrolls to a control, and tells its place and the faults of that place.
		show(i) {
			hit = null;
			if (!all[i].isConnected) all = list(); // made anew, by an answer of the device
			const e = area(all[i]);
			e.scrollIntoView({ block: 'nearest', inline: 'nearest' });
			const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2, wrong = [];
			if (r.width < 43.9 || r.height < 43.9) wrong.push('is ' + r.width.toFixed() + '×' + r.height.toFixed() + ' px');
			// A handle of what lies at the border of the picture may stick out of it.
			if (!e.matches('.handle') && (r.left < -0.5 || r.top < -0.5 || r.right > innerWidth + 0.5 || r.bottom > innerHeight + 0.5)) wrong.push('lies beyond the screen');
			return { X: x, Y: y, Name: name(all[i]), Wrong: wrong.join(', ') };
		},
		// wasHit tells whether a click arrived at the control.
		wasHit(i) { return !!hit && area(all[i]).contains(hit); },
		stop() { listens = false; },
		// frame lists the faults of the page as a whole.
		frame() {
			const wrong = [], root = document.documentElement, box = (s) => document.querySelector(s).getBoundingClientRect();
			if (root.scrollWidth > innerWidth) wrong.push('it scrolls sideways');
			if (!document.body.matches('.app')) return wrong;
			if (root.scrollHeight > innerHeight || document.body.scrollHeight > innerHeight) wrong.push('it is ' + root.scrollHeight + ' px high, more than the screen: ' + [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().bottom > innerHeight + 0.5 && !e.closest('#panels *')).map((e) => e.id || e.className || e.tagName));
			for (const p of document.querySelectorAll('#panels, #panels *, .savebar, header, nav div')) if (p.scrollWidth > p.clientWidth + 1 && p.clientWidth > 1 && getComputedStyle(p).display !== 'inline' && !p.matches('.unseen')) wrong.push((p.id || p.className || p.tagName) + ' is wider than its place');
			if (document.body.matches('.tallying')) return wrong;
			const frame = box('.frame'), stage = box('#stage'), panels = box('#panels');
			if (panels.height < 90) wrong.push('the panel is ' + panels.height.toFixed() + ' px high');
			if (innerWidth > innerHeight) {
				if (frame.height < innerHeight - 1) wrong.push('the picture has not the height');
				if (stage.right > panels.left + 1) wrong.push('the controls are not beside the picture');
				if (stage.width < frame.width - 1 && stage.height < frame.height - 1) wrong.push('the picture does not fill its place');
			} else if (stage.width < innerWidth * 0.7) wrong.push('the picture is ' + stage.width.toFixed() + ' px wide');
			return wrong;
		},
	};
})();`

// inspector looks at a page in all sizes.
type inspector struct {
	t       *testing.T
	axe     string // the script of axe-core; "" without it
	touched int    // controls that were touched
	screens int    // states and sizes
}

// newInspector reads axe-core, which npm installs in test/wire. Without it the rest is
// inspected all the same.
func newInspector(t *testing.T) *inspector {
	t.Helper()
	path := filepath.Join("..", "wire", "node_modules", "axe-core", "axe.min.js")
	if other := os.Getenv("KERB_AXE"); other != "" {
		path = other
	}
	script, err := os.ReadFile(path)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "":
		t.Log("axe-core is not there: cd test/wire && npm ci")
	default:
		t.Fatal(err)
	}
	return &inspector{t: t, axe: string(script)}
}

// look touches every control of the page as it is now, in each size, and lets axe-core
// search it in two of them, with KERB_LONG in all. Nothing on the page changes by that.
func (v *inspector) look(ctx context.Context, state string) {
	v.t.Helper()
	for _, size := range sizes {
		found := v.find(ctx, size.wide, size.high)
		name := fmt.Sprintf("%s-%dx%d", state, size.wide, size.high)
		shoot(v.t, ctx, name)
		if len(found) > 0 {
			v.t.Errorf("%s:\n  %s", name, strings.Join(found, "\n  "))
		}
		v.screens++
	}
	run(v.t, ctx, "the telephone again", emulate(wide, high))
}

// emulate gives the screen a size, and a finger.
func emulate(w, h int64) chromedp.Action {
	return chromedp.EmulateViewport(w, h, chromedp.EmulateTouch, chromedp.EmulateMobile)
}

// find returns the faults of the page in one size.
func (v *inspector) find(ctx context.Context, w, h int64) (found []string) {
	v.t.Helper()
	var n int
	settled := `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`
	run(v.t, ctx, "a screen", emulate(w, h), chromedp.Evaluate(settled, nil, awaited), chromedp.Evaluate(reachScript, nil),
		chromedp.Evaluate(`reach.frame()`, &found), chromedp.Evaluate(`reach.start()`, &n))
	for i := range n {
		if wrong := v.touch(ctx, i); wrong != "" {
			found = append(found, wrong)
		}
		v.touched++
	}
	run(v.t, ctx, "no longer listen", chromedp.Evaluate(`reach.stop()`, nil))
	if v.axe != "" && (w == wide || w == high || os.Getenv("KERB_LONG") != "") {
		var violations []string
		run(v.t, ctx, "axe-core", chromedp.Evaluate(`window.axe ? 0 : (`+"()=>{"+v.axe+"\n}"+`)()`, nil),
			chromedp.Evaluate(`axe.run({ resultTypes: ['violations'] }).then((r) => r.violations.map((v) => 'axe: ' + v.id + ': ' + v.nodes.map((n) => n.target.join(' ')).join('; ')))`, &violations, awaited))
		found = append(found, violations...)
	}
	return found
}

// touch touches control i and returns its fault, or "". An answer of the device may
// make a control anew between its place being read and the touch, so that the touch arrives
// at the new one: three touches are tried.
func (v *inspector) touch(ctx context.Context, i int) string {
	v.t.Helper()
	var at struct {
		X, Y        float64
		Name, Wrong string
	}
	for range 3 {
		var hit bool
		run(v.t, ctx, "touch a control", chromedp.Evaluate(fmt.Sprintf(`reach.show(%d)`, i), &at),
			chromedp.ActionFunc(func(ctx context.Context) error { // at is known only now
				return input.DispatchTouchEvent(input.TouchStart, []*input.TouchPoint{{X: at.X, Y: at.Y}}).Do(ctx)
			}),
			input.DispatchTouchEvent(input.TouchEnd, []*input.TouchPoint{}), chromedp.Evaluate(fmt.Sprintf(`reach.wasHit(%d)`, i), &hit))
		if at.Wrong != "" {
			return at.Name + " " + at.Wrong
		}
		if hit {
			return ""
		}
	}
	return at.Name + " was not reached by a touch"
}

// awaited lets a script's promise be fulfilled.
func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// findsPlanted is the control of find: a control that something covers, one that is too
// small, one beyond the screen, and a picture without words.
func (v *inspector) findsPlanted(ctx context.Context) {
	v.t.Helper()
	plant := func(script string) { run(v.t, ctx, "plant", chromedp.Evaluate(script, nil)) }
	plant(`(() => {
		const add = (name, css, into) => { const e = document.createElement(name); e.className = 'planted'; e.style.cssText = css; into.append(e); return e; };
		const r = document.getElementById('tab-live').getBoundingClientRect();
		add('div', 'position:fixed;z-index:9;left:' + r.left + 'px;top:' + r.top + 'px;width:' + r.width + 'px;height:' + r.height + 'px', document.body);
		document.getElementById('hint').style.color = '#c8c8c8';
		const small = add('button', 'min-height:0;height:20px', document.getElementById('draw')); small.textContent = 'small one';
		add('p', 'width:600px', document.getElementById('draw')).textContent = 'wide';
		add('img', '', document.getElementById('draw')).src = '/icon.svg';
	})()`)
	found := strings.Join(v.find(ctx, wide, high), "\n")
	wants := []string{"tab-live was not reached", "small one is"}
	if v.axe != "" {
		wants = append(wants, "axe: image-alt", "axe: color-contrast")
	}
	for _, want := range wants {
		if !strings.Contains(found, want) {
			v.t.Errorf("planted, and not found: %s\n%s", want, found)
		}
	}
	plant(`for (const e of document.querySelectorAll('.planted')) e.remove(); document.getElementById('hint').style.color = ''`)
}
