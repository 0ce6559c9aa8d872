package luma_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerb/drivers/camera/luma"
)

// footageDir is the directory with the clips; it skips where there is none.
func footageDir(tb testing.TB) string {
	tb.Helper()
	if dir := os.Getenv("KERB_SHARED"); dir != "" {
		return filepath.Join(dir, "footage")
	}
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		found := filepath.Join(dir, "shared", "footage")
		if _, err := os.Stat(found); err == nil {
			return found
		}
	}
	tb.Skip("no footage: set KERB_SHARED or put shared/footage beside the module")
	return ""
}

// aviPictures are the JPEGs of an AVI file, found by their chunk heads.
func aviPictures(tb testing.TB, clip string) (all [][]byte) {
	tb.Helper()
	file, err := os.ReadFile(clip)
	if err != nil {
		tb.Fatal(err)
	}
	for {
		i := bytes.Index(file, []byte("00dc"))
		if i < 0 || len(file) < i+8 {
			return all
		}
		n := int(binary.LittleEndian.Uint32(file[i+4:]))
		file = file[i+8:]
		if n > 2 && n <= len(file) && file[0] == 0xff && file[1] == 0xd8 {
			all = append(all, file[:n])
			file = file[n:]
		}
	}
}

func clips(tb testing.TB) []string {
	tb.Helper()
	found, err := filepath.Glob(filepath.Join(footageDir(tb), "*.avi"))
	if err != nil || len(found) == 0 {
		tb.Skip("no clips in the footage")
	}
	return found
}

func BenchmarkDecode(b *testing.B) {
	for _, clip := range clips(b) {
		all := aviPictures(b, clip)
		for scale, name := range []string{"full", "half", "quarter", "eighth"} {
			b.Run(strings.TrimSuffix(filepath.Base(clip), ".avi")+"/"+name, func(b *testing.B) {
				c, err := luma.ReadConfig(all[0])
				if err != nil {
					b.Fatal(err)
				}
				w, h := c.Size(luma.Scale(scale))
				dst := make([]byte, w*h)
				var d luma.Decoder
				b.ReportAllocs()
				b.SetBytes(int64(w * h))
				for i := 0; b.Loop(); i++ {
					if err := d.Decode(dst, all[i%len(all)], luma.Scale(scale)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
