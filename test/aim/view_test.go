package aim

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A camera that sees nothing is told of on every tab, in words, and no longer
// when it sees again.
func TestTheEngineerIsToldOfADarkCamera(t *testing.T) {
	var light atomic.Bool
	camera := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { film(w, r, &light) }))
	t.Cleanup(func() { camera.CloseClientConnections(); camera.Close() })
	phone := telephone(t, "en")
	k := aimAt(t, build(t), strings.Replace(site, "scene:busy?seed=7", camera.URL+"/mjpeg", 1), "-for", "20m")
	first := k.next()
	run(t, phone, "enter", chromedp.Navigate(first.URLs[0]), chromedp.WaitVisible("#code"), chromedp.SendKeys("#code", first.Code), chromedp.Submit("#code"), chromedp.WaitVisible("#stage"))
	for _, tab := range []string{"draw", "live", "hand", "done"} {
		tap(t, phone, "#tab-"+tab)
		holds(t, phone, "it says that it is dark", `(() => { const b = document.getElementById('banner'); return !b.hidden && b.getAttribute('role') === 'alert' && b.textContent.startsWith('Too dark'); })()`)
	}
	shoot(t, phone, "12-dark")
	light.Store(true)
	holds(t, phone, "it is well again", `document.getElementById('banner').hidden && document.getElementById('veil').hidden`)
}

// film is a camera over HTTP: chequers, by night and by day.
func film(w http.ResponseWriter, r *http.Request, light *atomic.Bool) {
	const width, height, square = 320, 180, 12
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
	picture := image.NewGray(image.Rect(0, 0, width, height))
	noise := rand.New(rand.NewPCG(1, 1))
	var b bytes.Buffer
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		for i := range picture.Pix {
			picture.Pix[i] = uint8(2 + noise.IntN(4))
			if light.Load() {
				picture.Pix[i] += uint8(60 + 90*((i%width/square+i/width/square)%2))
			}
		}
		b.Reset()
		if err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: 95}); err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", b.Len(), b.Bytes()); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			tick.Stop()
			return
		}
	}
}
