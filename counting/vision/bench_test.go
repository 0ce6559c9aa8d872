package vision

import (
	"context"
	"testing"
	"time"

	"kerb/counting/vision/health"
)

// BenchmarkStep measures one picture, without and with the health check.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		name  string
		watch *health.Monitor
	}{{"counted", nil}, {"counted and watched", new(health.Monitor)}} {
		b.Run(c.name, func(b *testing.B) {
			src := newStreet(640, 480, 1<<30, func(s *street, dst []byte, sec float64) {})
			film := make([][]byte, 16)
			for i := range film {
				film[i] = make([]byte, 640*480)
				if _, err := src.ReadInto(context.Background(), film[i]); err != nil {
					b.Fatal(err)
				}
				src.rect(film[i], 40+float64(20*i), 200, 120+float64(20*i), 280, 60)
			}
			k, err := New(&filmLoop{film: film}, Opts{Width: 640, Height: 480, FollowMax: time.Minute, Workers: 1, Health: c.watch})
			if err != nil {
				b.Fatal(err)
			}
			defer k.Close()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Step(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// filmLoop plays a film over and over, twelve pictures a second.
type filmLoop struct {
	film [][]byte
	n    int
}

func (l *filmLoop) ReadInto(_ context.Context, dst []byte) (time.Time, error) {
	copy(dst, l.film[l.n%len(l.film)])
	l.n++
	return time.Unix(0, 0).Add(time.Duration(l.n) * 80 * time.Millisecond), nil
}
