package luma_test

import (
	"bytes"
	"testing"

	"kerb/drivers/camera/luma"
)

func FuzzDecode(f *testing.F) {
	for _, src := range readVectors(f) {
		f.Add(src, uint8(0))
		f.Add(src[:len(src)*2/3], uint8(2))
	}
	f.Add([]byte{0xff, 0xd8, 0xff, 0xd9}, uint8(1))
	var d luma.Decoder // used again and again, as in life
	f.Fuzz(func(t *testing.T, src []byte, scale uint8) {
		s := luma.Scale(scale & 3)
		c, err := luma.ReadConfig(src)
		if err != nil {
			if d.Decode(nil, src, s) == nil {
				t.Error("decodes what ReadConfig refuses")
			}
			return
		}
		w, h := c.Size(s)
		if w*h > 1<<18 {
			return
		}
		const guard = 64
		buf := bytes.Repeat([]byte{0xa5}, w*h+2*guard)
		d.ForgetTables()
		first := d.Decode(buf[guard:guard+w*h], src, s)
		for _, b := range append(buf[:guard:guard], buf[guard+w*h:]...) {
			if b != 0xa5 {
				t.Fatal("writes beside its buffer")
			}
		}
		if first != nil {
			return
		}
		var fresh luma.Decoder
		again := make([]byte, w*h)
		if err := fresh.Decode(again, src, s); err != nil || !bytes.Equal(again, buf[guard:guard+w*h]) {
			t.Errorf("a fresh decoder disagrees (%v)", err)
		}
	})
}
