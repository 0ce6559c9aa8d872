package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/policy"
	"kerb/drivers/camera"
)

func TestWhatIsGoneIsTriedAgainSoonAndWhoRefusesIsNot(t *testing.T) {
	gone, refused := errors.New("no route"), fmt.Errorf("http://c/: %w", camera.ErrRefused)
	var c comeback
	for i, want := range []time.Duration{250e6, 500e6, 1e9, 1e9} {
		if got := c.after(gone, 0, false); got != want {
			t.Errorf("loss %d: %v, want %v", i, got, want)
		}
	}
	if got := c.after(gone, time.Hour, true); got != firstRetry {
		t.Errorf("after an hour of pictures: %v", got)
	}
	asked, all := 0, time.Duration(0)
	for ; all < 30*time.Minute; asked++ {
		all += c.after(refused, 0, false)
	}
	if asked > 9 {
		t.Errorf("a wrong password is tried %d times in half an hour", asked)
	}
	if got := c.after(gone, 0, false); got > lastRetry {
		t.Errorf("once it is only gone: %v", got)
	}
}

func TestTheSameLossIsToldOnce(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	var c comeback
	now := time.Unix(1e9, 0)
	for range 3600 {
		c.after(errors.New("no route"), 0, false)
		c.tell(log, "camera lost", errors.New("no route"), now)
		now = now.Add(time.Second)
	}
	if n := strings.Count(b.String(), "\n"); n != 6 || !strings.Contains(b.String(), "not_told=599") {
		t.Errorf("%d lines in an hour:\n%s", n, b.String())
	}
	c.tell(log, "camera lost", errors.New("another"), now)
	c.after(errors.New("another"), 2*time.Minute, true)
	c.tell(log, "camera lost", errors.New("another"), now)
	if n := strings.Count(b.String(), "err=another"); n != 2 {
		t.Errorf("another loss, and the same after minutes of pictures, are told %d times", n)
	}
}

// A camera of the real kind: it refuses, and is asked once; one that breaks off
// is asked again and again.
func TestACameraThatRefusesIsNotAskedAgainSoon(t *testing.T) {
	ask := func(status int) int64 {
		var asked atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" || status != http.StatusUnauthorized {
				asked.Add(1)
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(status)
		}))
		defer server.Close()
		c := watched("street")
		c.Source = strings.Replace(server.URL, "//", "//viewer:wrong@", 1)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		newSensor(c, policy.Demo(), clock.Mono, slog.New(slog.DiscardHandler)).run(ctx)
		return asked.Load()
	}
	if n := ask(http.StatusUnauthorized); n != 1 {
		t.Errorf("a wrong password was tried %d times", n)
	}
	if n := ask(http.StatusServiceUnavailable); n < 2 {
		t.Errorf("control: one that is only out of order was asked %d times", n)
	}
}

func TestAnRTSPCameraThatRefusesSaysSo(t *testing.T) {
	_, address := startRelay(t)
	open := func(user, password string) error {
		c := watched("street")
		c.Source, c.User, c.PasswordFile = "rtsp://"+address+"/nothing", user, filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(c.PasswordFile, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := newSensor(c, policy.Demo(), clock.Mono, slog.New(slog.DiscardHandler)).open(t.Context())
		if err == nil {
			src.Close()
		}
		return err
	}
	if err := open(viewer, "wrong"); !errors.Is(err, camera.ErrRefused) {
		t.Errorf("a wrong password: %v", err)
	}
	if err := open(viewer, sesame); err == nil || errors.Is(err, camera.ErrRefused) {
		t.Errorf("the right password, and no such stream: %v", err)
	}
	if err := open("", ""); err == nil || !strings.Contains(err.Error(), "asks for a user and a password") {
		t.Errorf("no password: %v", err)
	}
}
