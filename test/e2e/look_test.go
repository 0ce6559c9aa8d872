package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// lookTests are cameras as engineers get them wrong, and one that is right.
var lookTests = []struct {
	name, path, keys string
	want             []string // in the answer
}{
	{"right", "/mjpeg", "", []string{"pictures/s, Motion JPEG over HTTP"}},
	{"refused", "/auth", "user = \"viewer\"\npassword_file = \"word\"\n", []string{"camera refuses the user or the password → correct user and password_file"}},
	{"nothing", "/nothing", "", []string{"camera answers 404 Not Found → correct the path of source"}},
	{"login", "/login", "", []string{"text/html", "→ correct the path of source"}},
	{"still", "/still", "", []string{"camera sends a single picture"}},
	{"device", "", "", []string{"no such file or directory → plug it in"}},
}

// wrongCameras serves the cameras of lookTests.
func wrongCameras(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/mjpeg", player(t))
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>")
	})
	pictures := clipPictures(t)
	mux.HandleFunc("/still", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(pictures[0])
	})
	s := httptest.NewServer(mux)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

// kerb probe and kerb check -connect take a picture from each camera, and tell the
// reader's own reason where there is none.
func TestProbeAndCheckTakeAPictureFromEachCamera(t *testing.T) {
	t.Parallel()
	m := startMosquitto(t)
	a := newAgent(t, m.url(), "scene:calm")
	url := wrongCameras(t)
	text := fmt.Sprintf("[device]\nname = \"pole\"\nsite = \"a\"\ntenant = \"b\"\nstate = \"state\"\n[broker]\nurl = %q\n", m.url())
	for _, c := range lookTests {
		source := url + c.path
		if c.path == "" {
			source = "/dev/video-that-is-not-there"
		}
		text += fmt.Sprintf("[[camera]]\nname = %q\nsource = %q\n%s[[camera.line]]\nid = %[1]q\nfrom = [0.0, 0.5]\nto = [1.0, 0.5]\nclasses = [\"person\"]\n", c.name, source, c.keys)
	}
	site := filepath.Join(a.dir, "site.toml")
	if err := errors.Join(os.WriteFile(site, []byte(text), 0o600), os.WriteFile(filepath.Join(a.dir, "word"), []byte("wrong"), 0o600)); err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(a.dir, "policy.toml")
	out, err := exec.Command(a.bin, "probe", "-site", site, "-policy", policy).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said, _ := exec.Command(a.bin, "check", "-connect", "-site", site, "-policy", policy).CombinedOutput()
	for _, c := range lookTests {
		if !hasLine(string(out), append([]string{c.name}, c.want...)...) {
			t.Errorf("probe does not tell %s: %q", c.name, c.want)
		}
		if c.name != "right" && !hasLine(string(said), append([]string{"camera " + c.name}, c.want...)...) {
			t.Errorf("check -connect does not tell %s: %q", c.name, c.want)
		}
	}
	if t.Failed() {
		t.Logf("probe:\n%s\ncheck:\n%s", out, said)
	}
	// One camera that is right: fit, in JSON too.
	good := strings.Split(text, "[[camera]]")
	if err := os.WriteFile(site, []byte(good[0]+"[[camera]]"+good[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = exec.Command(a.bin, "check", "-connect", "-json", "-site", site, "-policy", policy).Output()
	var answer struct {
		OK      bool
		Cameras []struct {
			Width, Height int
			Rate          float64 `json:"pictures_per_s"`
		}
	}
	if jerr := json.Unmarshal(out, &answer); err != nil || jerr != nil || !answer.OK || len(answer.Cameras) != 1 || answer.Cameras[0].Width == 0 || answer.Cameras[0].Rate <= 0 {
		t.Errorf("%v, %v:\n%s", err, jerr, out)
	}
}

// hasLine reports whether a line of text contains all words.
func hasLine(text string, words ...string) bool {
	for line := range strings.Lines(text) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return true
		}
	}
	return false
}
