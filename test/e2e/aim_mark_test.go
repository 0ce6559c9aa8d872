package e2e

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"kerb/agent/canary"
)

// The mark of kerb prove is not in the pages of kerb aim: neither
// in the bytes of the stream nor in the pixels that a viewer sees. The controls:
// it is in what the camera sent, and would be found in a preview of the size
// of this one that showed what the detector's grid holds.
func TestTheWallsMarkIsNotInThePreview(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a street must hold for some seconds before it is shown")
	}
	t.Parallel()
	mark := canary.New()
	a := newAgent(t, "mqtt://127.0.0.1:1", markedCamera(t, mark))
	appendTo(t, filepath.Join(a.dir, "policy.toml"), "aim.show = \"silhouettes\"\naim.session = \"10m\"\n")
	page := a.aim("north")

	const wanted = 60 // pictures that show something of the street
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, page.url+"picture", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := page.c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	_, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	parts := multipart.NewReader(io.TeeReader(got.Body, &raw), params["boundary"])
	var w, h, shown, all int
	for ; shown < wanted; all++ {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatalf("after %d pictures, %d with a street: %v", all, shown, err)
		}
		img, err := jpeg.Decode(p)
		if err != nil {
			t.Fatal(err)
		}
		seen := luma(img)
		if forms := mark.FindForms(seen); len(forms) > 0 {
			t.Fatalf("picture %d holds the mark: %v", all, forms)
		}
		w, h = img.Bounds().Dx(), img.Bounds().Dy()
		if shades(seen) > 4 {
			shown++
		}
	}
	if forms := mark.FindForms(raw.Bytes()); len(forms) > 0 {
		t.Errorf("the stream holds the mark: %v", forms)
	}
	t.Logf("%d pictures of %d×%d, %d of them with a street: no mark in %d bytes", all, w, h, shown, raw.Len())

	sent, err := mark.EncodeJPEG(0)
	if err != nil || len(mark.FindForms(sent)) == 0 {
		t.Errorf("control: no mark in what the camera sent: %v", err)
	}
	if forms := mark.FindForms(leak(t, mark, w, h)); len(forms) == 0 {
		t.Error("control: a preview that showed the detector's grid would not be caught")
	}
}

// markedCamera shows marked pictures, ten a second, to every client.
func markedCamera(t *testing.T, mark *canary.Mark) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		for n := 0; r.Context().Err() == nil; n++ {
			b, err := mark.EncodeJPEG(n)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(b), b); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	}))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL + "/mjpeg"
}

// leak is what a preview of w×h would hold that showed the grid to which the
// detector reduces 640×480 pixels, a third of each side, sent as the real one is.
func leak(t *testing.T, mark *canary.Mark, w, h int) []byte {
	t.Helper()
	pix := mark.LumaPixels(0)
	img := image.NewGray(image.Rect(0, 0, w, h))
	k := w / (canary.Width / 3)
	for y := range h {
		for x := range w {
			sum := 0
			for dy := range 3 {
				for dx := range 3 {
					sum += int(pix[min(y/k*3+dy, canary.Height-1)*canary.Width+min(x/k*3+dx, canary.Width-1)])
				}
			}
			img.Pix[y*w+x] = uint8(sum / 9)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	back, err := jpeg.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return luma(back)
}

// luma is a picture's light, row by row.
func luma(img image.Image) []byte {
	b := img.Bounds()
	pix := make([]byte, 0, b.Dx()*b.Dy())
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			pix = append(pix, color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y)
		}
	}
	return pix
}

// shades is how many steps of grey, of thirty-two, fill a hundredth of a picture.
func shades(pix []byte) (n int) {
	var count [32]int
	for _, v := range pix {
		count[v/8]++
	}
	for _, c := range count {
		if c > len(pix)/100 {
			n++
		}
	}
	return n
}
