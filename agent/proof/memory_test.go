package proof

import (
	"bytes"
	"slices"
	"testing"

	"kerb/agent/canary"
)

func TestAMarkBetweenPagesOfZerosIsFound(t *testing.T) {
	m := canary.New()
	pix := m.LumaPixels(0)
	for _, before := range []int{0, 1, 4095, 4096, 100_000} {
		for _, after := range []int{0, 1, 5000, 100_000} {
			var p Finding
			b := slices.Concat(make([]byte, before), pix, make([]byte, after))
			p.searchBytes(m, b)
			if !slices.Contains(p.Found, "pixels") || p.Bytes != len(b) {
				t.Errorf("%d zeros before and %d after: found %q in %d bytes", before, after, p.Found, p.Bytes)
			}
		}
	}
	var all []byte
	for part := range nonZeroParts(slices.Concat([]byte("a"), make([]byte, 9000), []byte("b"))) {
		all = append(all, part...)
	}
	if got := bytes.Trim(all, "\x00"); len(all) > 9000 || !bytes.HasPrefix(got, []byte("a")) || !bytes.HasSuffix(got, []byte("b")) {
		t.Errorf("%d bytes are left", len(all))
	}
}
