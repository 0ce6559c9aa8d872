package aim

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// reportFeed sends reports until the context ends, and remembers each of them.
type reportFeed struct {
	mu    sync.Mutex
	drawn map[string]int // JPEG → number
	next  int
}

func (f *reportFeed) run(ctx context.Context, s *Server) {
	d := Drawer{}
	for ctx.Err() == nil {
		f.mu.Lock()
		r := report(f.next)
		f.mu.Unlock()
		b, err := d.DrawJPEG(&r.Sketch)
		if err != nil {
			panic(err)
		}
		f.mu.Lock()
		f.drawn[string(b)] = f.next
		f.next++
		f.mu.Unlock()
		s.HandleReport(r)
		time.Sleep(3 * time.Millisecond)
	}
}

func (f *reportFeed) number(jpeg []byte) (n int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, ok = f.drawn[string(jpeg)]
	return n, ok
}

func (b *browser) watchStream(ctx context.Context) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/picture", nil)
	if err != nil {
		return nil, err
	}
	return b.c.Do(r)
}

// Every picture that a viewer gets is, byte for byte, one that was drawn after the
// viewer connected, with no byte before, between or behind.
func TestAViewerGetsWholePicturesAndNoByteOfAnEarlierOne(t *testing.T) {
	defer goleak.VerifyNone(t)
	t.Run("two viewers, one after the other", func(t *testing.T) {
		d := openSession(t, nil)
		f := &reportFeed{drawn: map[string]int{}}
		ctx, stop := context.WithCancel(t.Context())
		var feeding sync.WaitGroup
		first, second := d.guest(), d.guest()
		feeding.Go(func() { f.run(ctx, d.Server) })
		defer feeding.Wait()
		defer stop()
		waitFor(t, "the first pictures", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.next > 20 })
		var watching sync.WaitGroup
		for name, b := range map[string]*browser{"first": first, "second": second} {
			f.mu.Lock()
			before := f.next
			f.mu.Unlock()
			r, err := b.watchStream(t.Context())
			if err != nil || r.StatusCode != http.StatusOK {
				t.Fatalf("%s: %v %v", name, r, err)
			}
			watching.Go(func() {
				defer r.Body.Close()
				last, got := before-1, 0
				err := readFrames(r.Body, func(jpeg []byte) bool {
					n, ok := f.number(jpeg)
					if !ok {
						t.Errorf("%s: got %d bytes that are no picture that was drawn", name, len(jpeg))
					} else if n < last {
						t.Errorf("%s: picture %d after %d: from before", name, n, last)
					}
					last = max(last, n)
					got++
					return got < 40
				})
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		watching.Wait()
	})
}

func TestFiftyViewersThatVanishLeaveNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	t.Run("with and without pictures", func(t *testing.T) {
		d := openSession(t, nil)
		b := d.guest()
		for i := range 50 {
			ctx, vanish := context.WithCancel(t.Context())
			var watching sync.WaitGroup
			watching.Go(func() {
				r, err := b.watchStream(ctx) // the answer comes with the first picture
				if err == nil {
					r.Body.Close()
				}
			})
			for n := range i % 3 { // some see nothing, some see a little
				d.HandleReport(report(i + n))
				time.Sleep(5 * time.Millisecond)
			}
			time.Sleep(5 * time.Millisecond)
			vanish()
			watching.Wait()
		}
		waitFor(t, "the last viewer is gone", func() bool { d.Server.mu.Lock(); defer d.Server.mu.Unlock(); return len(d.streams) == 0 })
	})
}

// The control: the library by itself sends a later viewer the rest of an earlier,
// larger picture in its buffer; mjpegWriter must not.
func TestTheLibraryAloneWouldSendWhatIsLeftOfALargerPicture(t *testing.T) {
	large, small := bytes.Repeat([]byte("L"), 4000), []byte("small")
	left := append(fmt.Appendf(nil, "\r\n--MJPEGBOUNDARY\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: 0.000000\r\n\r\n", len(small)), small...)
	buffer := append(bytes.Clone(left), large...) // as UpdateJPEG leaves it
	if n := pictureLength(buffer); n != len(left) {
		t.Errorf("%d of %d bytes would be sent, want %d", n, len(buffer), len(left))
	}
	for _, bad := range []string{"", "\r\n\r\n", "Content-Length: 5\r\n\r\nab", "Content-Length: -1\r\n\r\nab", "Content-Length: x\r\n\r\nab"} {
		if n := pictureLength([]byte(bad)); n != 0 {
			t.Errorf("%q: %d bytes", bad, n)
		}
	}
}
