package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"kerb/drivers/camera/scene"
)

// The ailments of the camera.
const (
	left = iota // alone
	covered
	frozen
	turned
)

// A pole camera looks at a part of the built-in street, over HTTP as
// Motion-JPEG, and lets things be done to it.
type pole struct {
	url    string
	doing  atomic.Int32
	served atomic.Int64
}

func erect(t *testing.T) *pole {
	t.Helper()
	p := new(pole)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(t, w, r) }))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	p.url = srv.URL + "/mjpeg"
	return p
}

func (p *pole) serve(t *testing.T, w http.ResponseWriter, r *http.Request) {
	const width, height, shown, low = 480, 270, 384, 216
	street, err := scene.New(scene.Opts{Seed: 1, Width: width, Height: height, Rate: 8})
	if err != nil {
		t.Error(err)
		return
	}
	defer street.Close()
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
	whole, part := make([]byte, width*height), image.NewGray(image.Rect(0, 0, shown, low))
	noise := rand.New(rand.NewPCG(1, 1))
	var b bytes.Buffer
	for tick := time.NewTicker(time.Second / 8); ; {
		if _, err := street.ReadInto(r.Context(), whole); err != nil {
			return
		}
		doing := p.doing.Load()
		if doing != frozen || b.Len() == 0 {
			x0 := 20
			if doing == turned {
				x0 = 80
			}
			for y := range low {
				copy(part.Pix[y*part.Stride:], whole[(y+27)*width+x0:][:shown])
			}
			if doing == covered {
				for i := range part.Pix {
					part.Pix[i] = byte(85 + noise.IntN(5))
				}
			}
			b.Reset()
			if err := jpeg.Encode(&b, part, nil); err != nil {
				t.Error(err)
				return
			}
		}
		if _, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", b.Len(), b.Bytes()); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		p.served.Add(1)
		select {
		case <-tick.C:
		case <-r.Context().Done():
			tick.Stop()
			return
		}
	}
}

// viewed is what of a window a spoilt view changes.
type viewed struct {
	Start           time.Time
	Stream, Quality string
	Reason          string
	Observed        int `json:"observed_s"`
	Counts          json.RawMessage
}

func (s *sink) viewed(t *testing.T) (all []viewed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.seen {
		var v viewed
		if err := json.Unmarshal(b, &v); err != nil {
			t.Errorf("%s: %v", b, err)
		}
		all = append(all, v)
	}
	return all
}

// faulted reports whether the platform has heard that a fault began, or ended.
func (s *sink) faulted(fault string, on bool) bool {
	for _, text := range s.messages("event") {
		var e struct {
			Kind string
			Data struct {
				Camera, Fault string
				On            bool
			}
		}
		if json.Unmarshal([]byte(text), &e) == nil && e.Kind == "camera_fault" && e.Data.Camera == "north" && e.Data.Fault == fault && e.Data.On == on {
			return true
		}
	}
	return false
}

// A camera is covered, and with KERB_LONG frozen and turned as well. The
// platform hears of it, the windows say why they are not whole, and counting
// goes on when it is over.
func TestASpoiltViewIsToldAndPausesCounting(t *testing.T) {
	if testing.Short() {
		t.Skip("short: its windows last a minute")
	}
	t.Parallel()
	m := startMosquitto(t)
	platform := newSink(t, m.url())
	camera := erect(t)
	a := newAgent(t, m.url(), camera.url)
	a.start()
	await(t, "pictures", func() bool { return camera.served.Load() > 40 })
	acts := []struct {
		doing int32
		fault string
		after time.Duration // well before it
		hold  time.Duration
	}{
		{covered, "camera_covered", 0, 75 * time.Second},
		{frozen, "camera_frozen", 75 * time.Second, 45 * time.Second},
		{turned, "camera_moved", 75 * time.Second, 75 * time.Second},
	}
	if os.Getenv("KERB_LONG") == "" {
		acts = acts[:1]
	}
	for _, act := range acts {
		time.Sleep(act.after)
		if platform.faulted(act.fault, true) {
			t.Errorf("%s was told before it was so", act.fault)
		}
		camera.doing.Store(act.doing)
		time.Sleep(act.hold)
		camera.doing.Store(left)
		over := time.Now()
		told := func() bool {
			paused, again := false, false
			for _, v := range platform.viewed(t) {
				paused = paused || v.Reason == act.fault && v.Quality == "gap" && v.Observed == 0
				again = again || v.Start.After(over) && v.Quality == "ok"
			}
			return paused && again && platform.faulted(act.fault, true) && platform.faulted(act.fault, false)
		}
		for end := time.Now().Add(4 * time.Minute); !told(); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: events %v\nwindows %+v", act.fault, platform.messages("event"), platform.viewed(t))
			}
		}
		t.Logf("%s: told, paused, and counting again %s after it was over", act.fault, time.Since(over).Round(time.Second))
	}
	a.stop()
	for _, text := range platform.messages("event") {
		t.Log(text)
	}
}
