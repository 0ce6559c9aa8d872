package aim

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// The status page is behind the same code as the rest, and its own handler sees its own
// paths alone.
func TestTheStatusPageIsBehindTheCode(t *testing.T) {
	d := openSession(t, func(o *Opts) {
		o.Status = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "inside "+r.URL.Path) })
	})
	b := d.browser()
	get := func(path string) (int, string) {
		r, err := b.c.Get(d.url + path)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, readAll(t, r)
	}
	if code, text := get("/status/"); code != http.StatusUnauthorized || strings.Contains(text, "inside") {
		t.Errorf("without the code: %d %q", code, text)
	}
	if _, text := get("/?code=12<3&lang=en"); !strings.Contains(text, `value="123"`) {
		t.Errorf("the code of the address is not in the form: %q", text)
	}
	var code string
	d.lock(func() { code = d.code })
	if status, text := b.enterCode(code); status != http.StatusOK || !strings.Contains(text, `href="/status/?lang=en"`) {
		t.Errorf("%d: the page has no link: %q", status, text)
	}
	for path, want := range map[string]string{"/status/": "inside /", "/status/history.csv": "inside /history.csv"} {
		if code, text := get(path); code != http.StatusOK || text != want {
			t.Errorf("%s: %d %q", path, code, text)
		}
	}
}
