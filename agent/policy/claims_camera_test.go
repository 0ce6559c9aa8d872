package policy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"kerb/agent/aim"
	"kerb/agent/aim/record"
	"kerb/agent/config"
	"kerb/agent/localbroker"
	"kerb/agent/policy"
	"kerb/agent/report"
	"kerb/agent/source"
	"kerb/agent/store"
	"kerb/agent/uplink"
	"kerb/counting"
)

// looksAt is the size at which a JPEG is looked at under the policy.
func looksAt(w *world, width, height int) int {
	path := filepath.Join(w.t.TempDir(), "picture.jpeg")
	var b bytes.Buffer
	if err := errors.Join(jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, width, height)), nil), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
		w.t.Fatal(err)
	}
	src, err := source.OpenFile(path, source.Limits(w.p.MaxPixels()))
	if err != nil {
		w.t.Fatal(err)
	}
	defer src.Close()
	x, y := src.Size()
	return x * y
}

// session is what an aiming session under a policy shows, and how long it lasts.
type session struct {
	pictures int // status of the page's picture
	lasts    time.Duration
}

var sessions = map[session]session{}

// openSession aims under the policy.
func openSession(w *world) session {
	sketches, longest := w.p.AimTerms()
	key := session{lasts: longest}
	if sketches {
		key.pictures = 1
	}
	if s, known := sessions[key]; known {
		return s
	}
	code := ""
	var now atomic.Int64
	open := func() (*aim.Server, net.Listener) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.t.Fatal(err)
		}
		return aim.New(aim.Opts{
			Camera: "c", Sketches: sketches, Until: longest, Latest: longest, Now: func() time.Duration { return time.Duration(now.Load()) },
			CheckPlan: func(aim.Plan) []aim.Complaint { return nil }, AnnounceCode: func(c, _ string) { code = c }, LogAction: func(string, string) {},
		}), l
	}
	s, l := open()
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _, _ = s.Serve(ctx, l) }()
	jar, _ := cookiejar.New(nil)
	browser, at := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}, "http://"+l.Addr().String()
	r, err := browser.PostForm(at+"/enter", url.Values{"code": {code}})
	if err != nil {
		w.t.Fatal(err)
	}
	r.Body.Close()
	seen := make(chan struct{})
	go func() { // a stream begins with its first sketch
		report := &record.Report{}
		report.Sketch.Block, report.Sketch.Cell = 8, 4
		for report.Sketch.Width, report.Sketch.Height = 64, 48; ; time.Sleep(time.Millisecond) {
			select {
			case <-seen:
				return
			default:
				s.HandleReport(report)
			}
		}
	}()
	r, err = browser.Get(at + "/picture")
	close(seen)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Body.Close()
	found := session{pictures: r.StatusCode, lasts: s.TimeLeft()}
	cancel()
	<-ended
	now.Store(int64(found.lasts))
	s, l = open()
	if why, err := s.Serve(w.t.Context(), l); why != "expired" || err != nil {
		w.t.Fatalf("the session does not end after %v: %s, %v", found.lasts, why, err)
	}
	sessions[key] = found
	return found
}

// askStatusPage asks a device on which no agent runs for the status page, and returns the
// answer's code.
func askStatusPage(w *world) int {
	page := report.NewPage(config.Device{Name: "c", State: filepath.Join(w.t.TempDir(), "state")}, report.PageOpts{Check: func() (*policy.Policy, error) { return w.p, nil }})
	answer := httptest.NewRecorder()
	page.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	return answer.Code
}

// stayCost is what one stay in a zone that is seen as n classes adds to ε: what one more
// in the mean and in the peak of each of them changes, by the noise that is drawn.
func stayCost(w *world, n int) float64 {
	cells := w.draw(counting.ZoneStream, 9_000, false)
	m, _ := deviation(cells, 9_000, mean)
	p, _ := deviation(cells, 9_000, peak)
	// The mean distance of noise of scale 1/e is near 1/e: one more by mean is charged
	// once, as a stay is in one class at a time; by peak in each class.
	return 1/m + float64(n)/p
}

// obeyed caches verbsObeyed.
var obeyed = map[string]string{}

// verbsObeyed are the verbs, of many, to which a device under the policy answers with ok.
func verbsObeyed(w *world) string {
	verbs := []string{"resend", "watermark", "want", "policy", "site", "count", "restart", "stop", "aim", "set", "mask", "update"}
	key := fmt.Sprint(w.broken)
	for _, v := range verbs {
		key += fmt.Sprint(w.p.AllowsCommand(v))
	}
	if done, known := obeyed[key]; known {
		return done
	}
	b, err := localbroker.New()
	if err != nil {
		w.t.Fatal(err)
	}
	defer b.Close()
	db, err := store.Open(filepath.Join(w.t.TempDir(), "spool"), store.WallClock(func() time.Time { return w.start.Add(w.p.Window()) }))
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Append([]policy.Release{w.clear(w.tally(w.counted(), 9, 9))}); err != nil {
		w.t.Fatal(err)
	}
	up, err := uplink.New(uplink.Opts{Broker: b.URL, Tenant: "t", Site: "s", Device: "pi", Store: db, AllowVerb: w.p.AllowsCommand})
	if err != nil {
		w.t.Fatal(err)
	}
	acks := make(chan string, 99)
	platform := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(strings.Replace(b.URL, "mqtt", "tcp", 1)).SetClientID("platform"))
	platform.Connect().Wait()
	defer platform.Disconnect(0)
	platform.Subscribe("kerb/v1/t/s/pi/ack", 1, func(_ mqtt.Client, m mqtt.Message) { acks <- string(m.Payload()) }).Wait()
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if !w.broken {
			_ = up.Run(ctx)
		}
	}()
	defer func() { cancel(); <-ended }()
	if w.broken {
		defer obeyAll(b.URL).Disconnect(0)
	}
	for until := time.Now().Add(2 * time.Minute); !w.broken && !up.IsOnline() && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	out := ""
	for _, v := range verbs {
		platform.Publish("kerb/v1/t/s/pi/cmd", 1, false, fmt.Sprintf(`{"schema":"kerb.cmd/1","id":%q,"verb":%q,"expires":%q,"epoch":%q,"stream":"s","from":1,"to":1}`,
			v, v, time.Now().Add(time.Hour).UTC().Format(time.RFC3339), db.Stats().Epoch)).Wait()
		if !w.broken && !w.p.AllowsCommand("resend") && !w.p.AllowsCommand("watermark") {
			continue // it does not listen
		}
		for answered := false; !answered; {
			select {
			case ack := <-acks:
				if answered = strings.Contains(ack, `"id":"`+v+`"`); answered && strings.Contains(ack, `"ok":true`) {
					out += v + " "
				}
			case <-time.After(2 * time.Minute):
				w.t.Fatalf("%s is not answered", v)
			}
		}
	}
	obeyed[key] = out
	return out
}

// obeyAll connects a device that does whatever the broker says.
func obeyAll(broker string) mqtt.Client {
	device := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(strings.Replace(broker, "mqtt", "tcp", 1)).SetClientID("device"))
	device.Connect().Wait()
	device.Subscribe("kerb/v1/t/s/pi/cmd", 1, func(c mqtt.Client, m mqtt.Message) {
		id := strings.Split(string(m.Payload()), `"`)[7] // after the schema
		c.Publish("kerb/v1/t/s/pi/ack", 1, false, fmt.Sprintf(`{"id":%q,"ok":true}`, id))
	}).Wait()
	return device
}

func init() {
	judge("pixels", func(w *world, v values) bool {
		x, y := v["width"].(int), v["height"].(int)
		return looksAt(w, x, y) == x*y && looksAt(w, y, x) == x*y && looksAt(w, x+16, y) <= x*y/3
	})
	judge("aimShapes", func(w *world, v values) bool {
		s := openSession(w)
		return s.pictures == http.StatusOK && s.lasts == v["for"]
	})
	judge("aimNothing", func(w *world, _ values) bool { return openSession(w).pictures == http.StatusForbidden })
	judge("statusPage", func(w *world, _ values) bool { return askStatusPage(w) == http.StatusOK })
	judge("noStatusPage", func(w *world, _ values) bool { return askStatusPage(w) == http.StatusForbidden })
	judge("classCosts", func(w *world, _ values) bool {
		if !w.p.AllowsKind(counting.ZoneStream) || w.p.Method() != policy.Noise {
			return false
		}
		e := w.p.Epsilon()
		one, two := stayCost(w, 1), stayCost(w, 2)
		return math.Abs(one-e) < e/3 && math.Abs(two-one-e/2) < e/4
	})
	judge("brokerChanges", func(w *world, _ values) bool {
		for _, v := range strings.Fields(verbsObeyed(w)) {
			if v != "resend" && v != "watermark" {
				return false
			}
		}
		return true
	})
}
