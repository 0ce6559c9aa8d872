// Package aim drives the commissioning page as an engineer does: a real kerb
// aim, a real Chromium the size of a telephone, and thumbs. Its browser driver
// is in a module of its own, so that the binary's go.sum stays short.
package aim

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

const site = `# The street camera of post 7.
[device]
name = "pi-0a1b"
site = "high-street"
tenant = "camden"
state = "state"
clock_floor = "2020-01-01"
[broker]
url = "mqtt://127.0.0.1:1"

[[camera]]
name = "north"
source = "scene:busy?seed=7"  # the built-in street
detector = "motion"
[[camera.line]]
id = "first"
from = [0.02, 0.97]
to = [0.3, 0.97]
classes = ["person"]
`

// kerb is one kerb aim on a site of its own.
type kerb struct {
	t     *testing.T
	dir   string
	bin   string
	cmd   *exec.Cmd
	out   *bufio.Scanner
	words bytes.Buffer
}

// told is a line of kerb aim -json.
type told struct {
	Code  string
	URLs  []string
	Ended string
}

func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "kerb")
	cmd := exec.Command("go", "build", "-o", bin, "./agent")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build kerb: %v\n%s", err, out)
	}
	return bin
}

func aim(t *testing.T, bin string, args ...string) *kerb {
	t.Helper()
	return aimAt(t, bin, site, args...)
}

func aimAt(t *testing.T, bin, site string, args ...string) *kerb {
	t.Helper()
	return aimUnder(t, bin, site, "", args...)
}

// aimUnder is aimAt under the standard policy with some lines more.
func aimUnder(t *testing.T, bin, site, lines string, args ...string) *kerb {
	t.Helper()
	k := &kerb{t: t, dir: t.TempDir(), bin: bin}
	policy, err := os.ReadFile("../../configs/policy-standard.toml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"site.toml": []byte(site), "policy.toml": append(policy, lines...)} {
		if err := os.WriteFile(filepath.Join(k.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k.cmd = exec.Command(bin, append([]string{
		"aim", "-json", "-site", filepath.Join(k.dir, "site.toml"), "-policy", filepath.Join(k.dir, "policy.toml"), "-listen", "127.0.0.1:0",
	}, args...)...)
	k.cmd.Stderr = &k.words
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	k.out = bufio.NewScanner(out)
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = k.cmd.Process.Kill()
		_ = k.cmd.Wait()
		if t.Failed() {
			t.Logf("kerb aim said:\n%s", k.words.String())
		}
	})
	return k
}

func (k *kerb) next() (l told) {
	k.t.Helper()
	if !k.out.Scan() {
		k.t.Fatalf("kerb aim says nothing more: %v\n%s", k.out.Err(), k.words.String())
	}
	if err := json.Unmarshal(k.out.Bytes(), &l); err != nil {
		k.t.Fatalf("%s: %v", k.out.Text(), err)
	}
	return l
}

// The telephone: as small as they come.
const wide, high = 360, 640

// telephone is a headless Chromium of that size, with a touch screen. The test
// is skipped where there is none.
func telephone(t *testing.T, lang string) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium: .ci/run installs it")
		}
		t.Skip("no chromium: apt-get install chromium")
	}
	profile, err := os.MkdirTemp("", "kerb-aim-chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the last of its processes may still write while the first is gone
		for end := time.Now().Add(time.Minute); os.RemoveAll(profile) != nil && time.Now().Before(end); {
			time.Sleep(100 * time.Millisecond)
		}
	})
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(profile), chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("accept-lang", lang), chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx, emulate(wide, high)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func run(t *testing.T, ctx context.Context, what string, actions ...chromedp.Action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		shoot(t, ctx, "failed")
		t.Fatalf("%s: %v", what, err)
	}
}

// holds waits until a script is true.
func holds(t *testing.T, ctx context.Context, what, script string) {
	t.Helper()
	holdsWithin(t, ctx, 3*time.Minute, what, script)
}

// holdsWithin is holds for a slow device.
func holdsWithin(t *testing.T, ctx context.Context, limit time.Duration, what, script string) {
	t.Helper()
	var now any
	for end := time.Now().Add(limit); ; time.Sleep(200 * time.Millisecond) {
		run(t, ctx, what, chromedp.Evaluate(script, &now))
		if now == true {
			return
		}
		if time.Now().After(end) {
			shoot(t, ctx, "failed")
			t.Fatalf("not within %v: %s (%v)", limit, what, now)
		}
	}
}

// shoot keeps a screenshot where KERB_SHOTS says.
func shoot(t *testing.T, ctx context.Context, name string) {
	dir := os.Getenv("KERB_SHOTS")
	if dir == "" {
		return
	}
	var png []byte
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.CaptureScreenshot(&png)); err != nil {
		t.Logf("screenshot %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Error(err)
	}
}

// thumb draws over the picture: from one place to another, in fractions of it.
// It rests before it lifts, as a thumb does that aims: after a flick Chromium
// takes the next tap for the end of a scroll that still rolls, and no button
// hears of it.
func thumb(t *testing.T, ctx context.Context, from, to [2]float64) {
	t.Helper()
	var box struct{ X, Y, W, H float64 }
	run(t, ctx, "where the picture is", chromedp.Evaluate(`(() => { const r = document.getElementById('stage').getBoundingClientRect(); return { X: r.x, Y: r.y, W: r.width, H: r.height }; })()`, &box))
	at := func(p [2]float64) *input.TouchPoint {
		return &input.TouchPoint{X: box.X + p[0]*box.W, Y: box.Y + p[1]*box.H}
	}
	steps := []chromedp.Action{input.DispatchTouchEvent(input.TouchStart, []*input.TouchPoint{at(from)})}
	for i := 1; i <= 8; i++ {
		f := float64(i) / 8
		steps = append(steps, input.DispatchTouchEvent(input.TouchMove, []*input.TouchPoint{at([2]float64{from[0] + f*(to[0]-from[0]), from[1] + f*(to[1]-from[1])})}))
	}
	steps = append(steps, chromedp.Sleep(200*time.Millisecond), input.DispatchTouchEvent(input.TouchMove, []*input.TouchPoint{at(to)}),
		chromedp.Sleep(100*time.Millisecond), input.DispatchTouchEvent(input.TouchEnd, []*input.TouchPoint{}))
	run(t, ctx, "a thumb", steps...)
}

// tap is a finger on an element.
func tap(t *testing.T, ctx context.Context, selector string) {
	t.Helper()
	var at struct{ X, Y float64 }
	script := fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({ block: 'center' }); const r = e.getBoundingClientRect(); return { X: r.x + r.width / 2, Y: r.y + r.height / 2 }; })()`, selector)
	run(t, ctx, "find "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.WaitEnabled(selector, chromedp.ByQuery), chromedp.Evaluate(script, &at))
	run(t, ctx, "tap "+selector, input.DispatchTouchEvent(input.TouchStart, []*input.TouchPoint{{X: at.X, Y: at.Y}}),
		input.DispatchTouchEvent(input.TouchEnd, []*input.TouchPoint{}))
}

// tapPath is a finger on an element that XPath finds.
func tapPath(t *testing.T, ctx context.Context, path string) {
	t.Helper()
	mark := fmt.Sprintf(`(() => { document.querySelector('[data-tap]')?.removeAttribute('data-tap'); document.evaluate(%q, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE).singleNodeValue.setAttribute('data-tap', ''); })()`, path)
	run(t, ctx, "find "+path, chromedp.WaitVisible(path, chromedp.BySearch), chromedp.Evaluate(mark, nil))
	tap(t, ctx, "[data-tap]")
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}
