package statuspage

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The server answers below its random path alone, and ends with its context.
func TestTheServerAnswersBelowItsSecretPathAlone(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0"} {
		if l, err := Listen(address); err == nil {
			l.Close()
			t.Errorf("%s is served without a login", address)
		}
	}
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- Serve(ctx, l, New(deviceOpts(t)), func(address string) { told <- address }) }()
	address := <-told
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]int{
		address: http.StatusOK, address + "style.css": http.StatusOK,
		"http://" + l.Addr().String() + "/": http.StatusNotFound, strings.Replace(address, "a", "b", 1) + "x": http.StatusNotFound,
	} {
		r, err := client.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != want || (want == http.StatusNotFound) == strings.Contains(string(text), "pole-7") && path != address+"style.css" {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
