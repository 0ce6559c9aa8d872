package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kerb/agent/clock"
	"kerb/agent/demo"
	"kerb/agent/policy"
	"kerb/drivers/camera"
)

// A camera that refuses the password is asked once, because some lock the account. A
// camera with another error is asked again and again.
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
		c := testCamera("street")
		c.Source = parseSource(t, strings.Replace(server.URL, "//", "//viewer:wrong@", 1))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		s, _ := demo.NewLocalCamera(c, policy.Demo(), (*exec.Cmd).Start, clock.SinceBoot, slog.New(slog.DiscardHandler))
		s.Run(ctx)
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
		c := testCamera("street")
		c.Source, c.User, c.PasswordFile = parseSource(t, "rtsp://"+address+"/nothing"), user, filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(c.PasswordFile, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		s, _ := demo.NewLocalCamera(c, policy.Demo(), (*exec.Cmd).Start, clock.SinceBoot, slog.New(slog.DiscardHandler))
		src, err := s.Open(t.Context())
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
