package proof

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// pictureInterval is the time between two pictures of the camera.
const pictureInterval = 100 * time.Millisecond

// clipPictures is the number of pictures in a clip: half a megabyte each.
const clipPictures = 4

// clipPause is the time before the end of a clip, within which its bytes lie in the
// arena: it is read, decoded and wiped in moments, six times a minute. Chosen by hand,
// below the timeout of one request.
const clipPause = 5 * time.Second

// serveClip sends a clip of marked pictures, and its last byte after clipPause.
func (t *Trial) serveClip(w http.ResponseWriter, r *http.Request) {
	clip := t.mark.EncodeMP4(clipPictures)
	w.Header().Set("Content-Type", "video/mp4")
	w.Header().Set("Content-Length", strconv.Itoa(len(clip)))
	end := len(clip) - 1
	if _, err := w.Write(clip[:end]); err != nil {
		return
	}
	w.(http.Flusher).Flush()
	select {
	case <-time.After(clipPause):
	case <-r.Context().Done():
		return
	}
	if _, err := w.Write(clip[end:]); err == nil {
		t.shown.Add(clipPictures)
	}
}

// serveCamera sends marked pictures as Motion JPEG over HTTP, ten a second.
func (t *Trial) serveCamera(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
	for n := 0; ; n++ {
		p, err := t.mark.EncodeJPEG(n)
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(p), p); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		t.shown.Add(1)
		select {
		case <-time.After(pictureInterval):
		case <-r.Context().Done():
			return
		}
	}
}
