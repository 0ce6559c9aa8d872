package canary

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"image"
	"image/jpeg"
	"slices"
	"testing"
)

func decodeLuma(t *testing.T, b []byte) []byte {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	y, ok := img.(*image.YCbCr)
	if !ok {
		t.Fatalf("a %T", img)
	}
	return y.Y
}

func reduceBy(pix []byte, k int) (out []byte) {
	for y := 0; y+k <= Height; y += k {
		for x := 0; x+k <= Width; x += k {
			sum := 0
			for i := range k * k {
				sum += int(pix[(y+i/k)*Width+x+i%k])
			}
			out = append(out, byte(sum/(k*k)))
		}
	}
	return out
}

func gzipped(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(b)
	_ = w.Close()
	return z.Bytes()
}

func TestAMarkIsFoundInEveryForm(t *testing.T) {
	m := New()
	file, err := m.EncodeJPEG(3)
	if err != nil {
		t.Fatal(err)
	}
	pix := decodeLuma(t, file)
	around := func(b []byte) []byte { return slices.Concat(make([]byte, 1001), b, []byte("the end")) }
	for want, data := range map[string][]byte{
		"compressed bytes":           file,
		"compressed bytes in hex":    []byte(hex.EncodeToString(file)),
		"compressed bytes in base64": []byte(base64.StdEncoding.EncodeToString(file)),
		"compressed bytes in gzip":   gzipped(file),
		"pixels":                     pix,
		"pixels in gzip":             gzipped(pix),
		"pixels at 1/2":              reduceBy(pix, 2),
		"pixels at 1/3":              reduceBy(pix, 3),
		"pixels at 1/4":              reduceBy(pix, 4),
		"pixels at 1/6":              reduceBy(pix, 6),
		"pixels at 1/8":              reduceBy(pix, 8),
	} {
		if got := m.FindForms(around(data)); !slices.Contains(got, want) {
			t.Errorf("%s: found %q", want, got)
		}
	}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString(slices.Concat(make([]byte, shift), m.bytes[:], []byte("more")))
		if got := m.FindForms([]byte(text)); !slices.Contains(got, "compressed bytes in base64") {
			t.Errorf("base64 from place %d: found %q", shift, got)
		}
	}
}

func TestAnotherMarkIsNotFound(t *testing.T) {
	file, err := New().EncodeJPEG(0)
	if err != nil {
		t.Fatal(err)
	}
	other := New()
	for _, data := range [][]byte{file, decodeLuma(t, file), nil, make([]byte, 1<<20)} {
		if got := other.FindForms(data); got != nil {
			t.Errorf("found %q in %d bytes of another", got, len(data))
		}
	}
}
