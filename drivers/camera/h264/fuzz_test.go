package h264_test

import (
	"testing"

	"kerb/drivers/camera/h264"
)

// FuzzDecode is what a hostile camera can send: it never panics, and a picture is
// of the size that it declares.
func FuzzDecode(f *testing.F) {
	for _, name := range vectors {
		stream, _ := readVector(f, name)
		f.Add(stream[:min(len(stream), 3000)], uint8(0))
	}
	d := h264.New(h264.Opts{MaxMacroblocks: 400, MaxMemory: 8 << 20})
	f.Fuzz(func(t *testing.T, stream []byte, skip uint8) {
		d.SetSkip(h264.Skip(skip % 3))
		take := func() {
			for p, ok := d.Next(); ok; p, ok = d.Next() {
				if p.Width <= 0 || p.Height <= 0 || len(p.Luma) < (p.Height-1)*p.Stride+p.Width {
					t.Fatalf("picture of %d×%d in %d bytes", p.Width, p.Height, len(p.Luma))
				}
			}
		}
		for nal, rest := h264.NextNAL(stream); nal != nil; nal, rest = h264.NextNAL(rest) {
			_ = d.Decode(nal, 0)
			take()
		}
		_ = d.Flush()
		take()
	})
}
