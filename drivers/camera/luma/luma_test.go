package luma_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"kerb/drivers/camera/luma"
)

// readVectors are the pictures of testdata, by name.
func readVectors(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/*.jpg")
	if err != nil || len(paths) < 15 {
		tb.Fatalf("%d vectors (%v)", len(paths), err)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		src, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(path), ".jpg")] = src
	}
	return all
}

// encodeJPEG encodes a synthetic picture: grey, or 4:2:0 in colour.
func encodeJPEG(tb testing.TB, w, h, quality int, grey bool) []byte {
	tb.Helper()
	r := rand.New(rand.NewPCG(uint64(w), uint64(h)))
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := uint8(x*5 + y*3)
			if (x/9+y/7)%3 == 0 {
				v = uint8(r.Uint32())
			}
			m.SetRGBA(x, y, color.RGBA{v, uint8(x * y), 255 - v, 255})
		}
	}
	var b bytes.Buffer
	var src image.Image = m
	if grey {
		g := image.NewGray(m.Rect)
		for i := range g.Pix {
			g.Pix[i] = m.Pix[4*i]
		}
		src = g
	}
	if err := jpeg.Encode(&b, src, &jpeg.Options{Quality: quality}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// decodeReference returns the luma of a picture as image/jpeg decodes it.
func decodeReference(tb testing.TB, src []byte) []byte {
	tb.Helper()
	m, err := jpeg.Decode(bytes.NewReader(src))
	if err != nil {
		tb.Fatal(err)
	}
	pix, stride := []byte(nil), 0
	switch m := m.(type) {
	case *image.YCbCr:
		pix, stride = m.Y, m.YStride
	case *image.Gray:
		pix, stride = m.Pix, m.Stride
	default:
		tb.Fatalf("reference is a %T", m)
	}
	var out []byte
	for y := range m.Bounds().Dy() {
		out = append(out, pix[y*stride:][:m.Bounds().Dx()]...)
	}
	return out
}

// decodeLuma is Decode into a buffer of the right size.
func decodeLuma(d *luma.Decoder, src []byte, s luma.Scale) ([]byte, error) {
	c, err := luma.ReadConfig(src)
	if err != nil {
		return nil, err
	}
	w, h := c.Size(s)
	dst := make([]byte, w*h)
	return dst, d.Decode(dst, src, s)
}

// requireNear fails if two pictures differ by more than most levels anywhere.
func requireNear(tb testing.TB, got, want []byte, most int) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Fatalf("%d samples, must be %d", len(got), len(want))
	}
	for i := range got {
		if d := int(got[i]) - int(want[i]); d < -most || d > most {
			tb.Fatalf("sample %d is %d, must be %d", i, got[i], want[i])
		}
	}
}

// meanOverSquares reduces a full picture by means over squares. Samples whose
// square lies partly outside the picture are copied from got.
func meanOverSquares(full, got []byte, w, h int, s luma.Scale) []byte {
	side := 1 << s
	sw := (w + side - 1) / side
	out := bytes.Clone(got)
	for y := range h / side {
		for x := range w / side {
			sum := 0
			for i := range side * side {
				sum += int(full[(y*side+i/side)*w+x*side+i%side])
			}
			out[y*sw+x] = byte((sum + side*side/2) / (side * side))
		}
	}
	return out
}

func TestLumaIsThatOfTheStandardLibrary(t *testing.T) {
	var d luma.Decoder
	all := readVectors(t)
	delete(all, "422-progressive-restart") // which image/jpeg cannot read
	for name, src := range all {
		t.Run(name, func(t *testing.T) {
			got, err := decodeLuma(&d, src, luma.Full)
			if err != nil {
				t.Fatal(err)
			}
			requireNear(t, got, decodeReference(t, src), 1)
		})
	}
}

func TestProgressivePictureIsTheSequentialOne(t *testing.T) {
	var d luma.Decoder
	all := readVectors(t)
	got, err := decodeLuma(&d, all["422-progressive-restart"], luma.Full)
	want, err2 := decodeLuma(&d, all["422-60"], luma.Full)
	if err != nil || err2 != nil || !bytes.Equal(got, want) {
		t.Errorf("they differ (%v, %v)", err, err2)
	}
}

func TestEverySizeIsFilledToItsEdges(t *testing.T) {
	var d luma.Decoder
	for w := 1; w <= 35; w += 2 {
		for h := 1; h <= 35; h += 3 {
			for _, grey := range []bool{true, false} {
				src := encodeJPEG(t, w, h, 60+w, grey)
				got, err := decodeLuma(&d, src, luma.Full)
				if err != nil {
					t.Fatalf("%d×%d: %v", w, h, err)
				}
				requireNear(t, got, decodeReference(t, src), 1)
			}
		}
	}
}

func TestReducedPictureIsTheMeanOfTheFullOne(t *testing.T) {
	var d luma.Decoder
	all := readVectors(t)
	delete(all, "422-progressive-restart") // which image/jpeg cannot read
	for _, name := range []string{"420-coarse-16-bit", "444-restart-rows"} {
		// The full picture is clamped to 0–255 before the mean, a reduced one after it.
		delete(all, name)
	}
	all["smooth"] = encodeJPEG(t, 83, 61, 40, false)
	for name, src := range all {
		for s := luma.Half; s <= luma.Eighth; s++ {
			t.Run(fmt.Sprintf("%s at 1/%d", name, 1<<s), func(t *testing.T) {
				c, err := luma.ReadConfig(src)
				if err != nil {
					t.Fatal(err)
				}
				got, err := decodeLuma(&d, src, s)
				if err != nil {
					t.Fatal(err)
				}
				requireNear(t, got, meanOverSquares(decodeReference(t, src), got, c.Width, c.Height, s), 12)
			})
		}
	}
}

func TestPictureWithoutHuffmanTablesUsesTheStandardOnes(t *testing.T) {
	src := encodeJPEG(t, 40, 30, 80, false) // image/jpeg uses the standard's
	i := bytes.Index(src, []byte{0xff, 0xc4})
	n := int(src[i+2])<<8 | int(src[i+3])
	bare := append(bytes.Clone(src[:i]), src[i+2+n:]...)
	if bytes.Contains(bare, []byte{0xff, 0xc4}) {
		t.Fatal("there are more tables")
	}
	var d luma.Decoder
	for _, before := range [][]byte{src, readVectors(t)["420-optimised"]} {
		if _, err := decodeLuma(&d, before, luma.Full); err != nil {
			t.Fatal(err)
		}
		d.ForgetTables()
		got, err := decodeLuma(&d, bare, luma.Full)
		if err != nil {
			t.Fatal(err)
		}
		requireNear(t, got, decodeReference(t, src), 1)
	}
}

func TestDecoderKeepsNothingOfThePictureBefore(t *testing.T) {
	all := readVectors(t)
	fresh := map[string][]byte{}
	for name, src := range all {
		var d luma.Decoder
		fresh[name], _ = decodeLuma(&d, src, luma.Full)
	}
	var d luma.Decoder
	for range 3 {
		for name, src := range all { // in any order
			if _, err := decodeLuma(&d, src[:len(src)/3], luma.Full); err == nil {
				t.Fatalf("%s: cut short, but no error", name)
			}
			if got, err := decodeLuma(&d, src, luma.Full); err != nil || !bytes.Equal(got, fresh[name]) {
				t.Fatalf("%s: not as a fresh decoder has it (%v)", name, err)
			}
		}
	}
}

func TestPictureCutAnywhereIsAnErrorUnlessItsLumaIsWhole(t *testing.T) {
	for name, src := range readVectors(t) {
		var d luma.Decoder
		want, err := decodeLuma(&d, src, luma.Full)
		if err != nil {
			t.Fatal(err)
		}
		dst, whole := make([]byte, 67*45), 0
		for n := range src {
			switch err := d.Decode(dst, src[:n], luma.Full); {
			case err == nil && bytes.Equal(dst, want):
				whole++
			case !errors.Is(err, luma.ErrTruncated):
				t.Fatalf("%s cut at %d of %d: error %v", name, n, len(src), err)
			}
		}
		if whole < 2 {
			t.Errorf("%s: refused without its end marker", name)
		}
		if whole > len(src)/2 {
			t.Errorf("%s: %d of %d cuts are whole", name, whole, len(src))
		}
	}
}

func TestACutPictureTellsHowMuchIsThere(t *testing.T) {
	var d luma.Decoder
	for name, want := range map[string]string{
		"444":             "jpeg: picture is cut short: ",
		"420-progressive": "jpeg: picture is cut short in scan ",
	} {
		src := readVectors(t)[name]
		err := d.Decode(make([]byte, 67*45), src[:len(src)*2/3], luma.Full)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, must begin with %q", name, err, want)
		}
		if cut, ok := errors.AsType[luma.CutError](err); ok && cut.Scan == 0 && (cut.Percent < 30 || cut.Percent > 80) {
			t.Errorf("%s: %v of two thirds", name, err)
		}
	}
}

func TestScanWithoutItsEndIsAnErrorThoughTheMarkerIsThere(t *testing.T) {
	var d luma.Decoder
	dst := make([]byte, 67*45)
	for _, name := range []string{"444", "420-optimised", "grey", "411"} {
		src := readVectors(t)[name]
		want, err := decodeLuma(&d, src, luma.Full)
		if err != nil {
			t.Fatal(err)
		}
		sos := bytes.LastIndex(src, []byte{0xff, 0xda})
		for n := sos + 14; n < len(src)-3; n += 7 {
			short := append(bytes.Clone(src[:n]), 0xff, 0xd9)
			if err := d.Decode(dst, short, luma.Full); err == nil && !bytes.Equal(dst, want) {
				t.Fatalf("%s cut at %d of %d: no error", name, n, len(src))
			}
		}
	}
}

func TestWrongBufferIsRefusedAndLeftAlone(t *testing.T) {
	var d luma.Decoder
	src := encodeJPEG(t, 33, 17, 80, false)
	for s, want := range map[luma.Scale]int{luma.Full: 33 * 17, luma.Half: 17 * 9, luma.Quarter: 9 * 5, luma.Eighth: 5 * 3} {
		for _, n := range []int{0, want - 1, want + 1} {
			dst := bytes.Repeat([]byte{0xa5}, n)
			if err := d.Decode(dst, src, s); err == nil || bytes.Count(dst, []byte{0xa5}) != n {
				t.Errorf("%d bytes at scale %d: error %v", n, s, err)
			}
		}
		if err := d.Decode(make([]byte, want), src, s); err != nil {
			t.Errorf("scale %d: %v", s, err)
		}
	}
	if err := d.Decode(make([]byte, 5*3), src, luma.Eighth+1); err == nil {
		t.Error("scale 1/16: no error")
	}
}

// markerSegment builds a marker segment.
func markerSegment(marker byte, body ...byte) []byte {
	n := len(body) + 2
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, body...)
}

// replaceSegment returns src with the first segment of a kind replaced.
func replaceSegment(tb testing.TB, src []byte, marker byte, by ...byte) []byte {
	tb.Helper()
	i := bytes.Index(src, []byte{0xff, marker})
	if i < 0 {
		tb.Fatalf("no marker %#x", marker)
	}
	n := int(src[i+2])<<8 | int(src[i+3])
	return append(append(bytes.Clone(src[:i]), by...), src[i+2+n:]...)
}

// patchSegment returns src with one byte of the first segment of a kind
// changed.
func patchSegment(tb testing.TB, src []byte, marker byte, at int, v byte) []byte {
	tb.Helper()
	i := bytes.Index(src, []byte{0xff, marker})
	if i < 0 {
		tb.Fatalf("no marker %#x", marker)
	}
	out := bytes.Clone(src)
	out[i+4+at] = v
	return out
}

func TestOtherKindsOfPictureAreRefusedByTheHeader(t *testing.T) {
	src := encodeJPEG(t, 40, 30, 80, false)
	i := bytes.Index(src, []byte{0xff, 0xc0})
	frame := src[i+4 : i+19]
	adobe := append([]byte("Adobe\x00\x64\x00\x00\x00\x00"), 0)
	for name, c := range map[string]struct {
		src  []byte
		want string
	}{
		"nothing":              {nil, "jpeg: picture is cut short"},
		"text":                 {[]byte("GET / HTTP/1.1"), "jpeg: does not start with a JPEG marker"},
		"12 bits":              {patchSegment(t, src, 0xc0, 0, 12), "jpeg: 12 bits a sample: must be 8"},
		"no width":             {patchSegment(t, patchSegment(t, src, 0xc0, 3, 0), 0xc0, 4, 0), "jpeg: is 0 samples wide"},
		"no height":            {patchSegment(t, patchSegment(t, src, 0xc0, 1, 0), 0xc0, 2, 0), "jpeg: number of lines is declared late"},
		"CMYK":                 {replaceSegment(t, src, 0xc0, markerSegment(0xc0, append(append(append([]byte{}, frame[:5]...), 4), 1, 17, 0, 2, 17, 0, 3, 17, 0, 4, 17, 0)...)...), "jpeg: CMYK: must be grey or YCbCr"},
		"two components":       {replaceSegment(t, src, 0xc0, markerSegment(0xc0, append(append(append([]byte{}, frame[:5]...), 2), 1, 17, 0, 2, 17, 0)...)...), "jpeg: 2 components: must be grey or YCbCr"},
		"RGB by Adobe":         {replaceSegment(t, src, 0xdb, append(markerSegment(0xee, adobe...), src[2:2+4+132-2]...)...), "jpeg: RGB: must be grey or YCbCr"},
		"RGB by name":          {bytes.ReplaceAll(patchSegment(t, patchSegment(t, patchSegment(t, src, 0xc0, 6, 'R'), 0xc0, 9, 'G'), 0xc0, 12, 'B'), []byte{3, 1, 0, 2, 0x11}, []byte{3, 'R', 0, 'G', 0x11}), "jpeg: RGB: must be grey or YCbCr"},
		"lossless":             {bytes.Replace(src, []byte{0xff, 0xc0}, []byte{0xff, 0xc3}, 1), "jpeg: lossless coding"},
		"hierarchical":         {bytes.Replace(src, []byte{0xff, 0xc0}, []byte{0xff, 0xc5}, 1), "jpeg: hierarchical coding"},
		"arithmetic":           {bytes.Replace(src, []byte{0xff, 0xc0}, []byte{0xff, 0xc9}, 1), "jpeg: arithmetic coding"},
		"arithmetic, by table": {bytes.Replace(src, []byte{0xff, 0xc4}, []byte{0xff, 0xcc}, 1), "jpeg: arithmetic coding"},
		"late height":          {bytes.Replace(src, []byte{0xff, 0xdb}, []byte{0xff, 0xdc}, 1), "jpeg: number of lines is declared late"},
		"coarse luma":          {patchSegment(t, src, 0xc0, 7, 0x11)[:i+10], "jpeg: picture is cut short"},
		"luma below chroma":    {patchSegment(t, patchSegment(t, src, 0xc0, 7, 0x11), 0xc0, 10, 0x21), "jpeg: luma is coarser than chroma"},
		"sampling by 0":        {patchSegment(t, src, 0xc0, 7, 0x02), "jpeg: bad frame header"},
		"sampling by 5":        {patchSegment(t, src, 0xc0, 7, 0x51), "jpeg: bad frame header"},
		"equal names":          {patchSegment(t, src, 0xc0, 9, 1), "jpeg: two components with one name"},
		"long frame header":    {patchSegment(t, src, 0xc0, 5, 1), "jpeg: bad frame header"},
		"two frame headers":    {replaceSegment(t, src, 0xc0, append(markerSegment(0xc0, frame...), markerSegment(0xc0, frame...)...)...), "jpeg: has two frame headers"},
		"no frame header":      {replaceSegment(t, src, 0xc0), "jpeg: has no frame header"},
		"no scan":              {[]byte{0xff, 0xd8, 0xff, 0xd9}, "jpeg: has no picture data"},
		"picture in a picture": {[]byte{0xff, 0xd8, 0xff, 0xd8, 0xff}, "jpeg: another picture starts inside"},
		"stray restart":        {[]byte{0xff, 0xd8, 0xff, 0xd0, 0xff}, "jpeg: picture is cut short"},
		"no marker":            {[]byte{0xff, 0xd8, 0x12, 0xd0, 0xff}, "jpeg: picture is cut short"},
		"length of 1":          {[]byte{0xff, 0xd8, 0xff, 0xe0, 0, 1}, "jpeg: segment with bad length"},
		"large progressive":    {patchSegment(t, patchSegment(t, readVectors(t)["420-progressive"], 0xc2, 1, 0x20), 0xc2, 3, 0x20), "jpeg: progressive picture of 8259×8237: must have at most 4194304 samples"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := luma.ReadConfig(c.src)
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v, must be %q", err, c.want)
			}
			var d luma.Decoder
			if e := d.Decode(nil, c.src, luma.Full); e == nil || e.Error() != err.Error() {
				t.Errorf("Decode says %v", e)
			}
		})
	}
}

func TestDamagedPictureIsAnError(t *testing.T) {
	all := readVectors(t)
	src := encodeJPEG(t, 67, 45, 80, false)
	restart := all["444-restart-rows"]
	rst1 := bytes.Index(restart, []byte{0xff, 0xd1})
	for name, c := range map[string]struct {
		src  []byte
		want string
	}{
		"no quantisation table": {replaceSegment(t, src, 0xdb), "uses a quantisation table that was not sent"},
		"table of 3 bits":       {patchSegment(t, src, 0xdb, 0, 0x30), "bad quantisation table"},
		"short table":           {replaceSegment(t, src, 0xdb, markerSegment(0xdb, 0, 1, 2, 3)...), "bad quantisation table"},
		"Huffman table 7":       {patchSegment(t, src, 0xc4, 0, 0x07), "bad Huffman table"},
		"too many codes":        {patchSegment(t, src, 0xc4, 1, 3), "bad Huffman table"},
		"short Huffman table":   {replaceSegment(t, src, 0xc4, markerSegment(0xc4, 0, 0, 200)...), "bad Huffman table"},
		"Huffman table unsent":  {patchSegment(t, src, 0xda, 2, 0x33), "uses a Huffman table that was not sent"},
		"scan of 4":             {patchSegment(t, src, 0xda, 0, 4), "bad scan header"},
		"scan of another":       {patchSegment(t, src, 0xda, 1, 9), "bad scan header"},
		"scan in disorder":      {patchSegment(t, patchSegment(t, src, 0xda, 1, 2), 0xda, 3, 1), "bad scan header"},
		"scan with table 4":     {patchSegment(t, src, 0xda, 2, 0x40), "bad scan header"},
		"restart of 3 bytes":    {replaceSegment(t, src, 0xc4, markerSegment(0xdd, 0, 0, 0)...), "bad restart interval"},
		"restart that is not":   {replaceSegment(t, restart, 0xdd, markerSegment(0xdd, 0, 1)...), "picture is cut short: 11 % of it is there"},
		"no restart any more":   {append(append(bytes.Clone(restart[:rst1]), 0xff, 0xfe, 0, 2), restart[rst1+2:]...), "picture is cut short: 33 % of it is there"},
		"no luma scan":          {replaceSegment(t, all["420-three-scans"], 0xda, markerSegment(0xda, 1, 2, 0x11, 0, 63, 0)...), "has no luma scan"},
		"details first":         {patchSegment(t, all["420-progressive"], 0xda, 9, 0x10), "starts with details"},
		"a band backwards":      {patchSegment(t, all["420-progressive"], 0xda, 8, 9), "bad scan header"},
	} {
		t.Run(name, func(t *testing.T) {
			c0, err := luma.ReadConfig(c.src)
			if err != nil {
				t.Fatal(err)
			}
			var d luma.Decoder
			err = d.Decode(make([]byte, c0.Width*c0.Height), c.src, luma.Full)
			if err == nil || err.Error() != "jpeg: "+c.want {
				t.Errorf("error %v, must be %q", err, c.want)
			}
		})
	}
}

func TestAPictureIsWholeWhateverFollowsItsLuma(t *testing.T) {
	all := readVectors(t)
	plain, restart, progressive := all["420-optimised"], all["444-restart-rows"], all["420-progressive"]
	end := func(src []byte, tail ...byte) []byte { return append(bytes.Clone(src[:len(src)-2]), tail...) }
	renumber := func(src []byte, to func(n byte) byte) []byte {
		out := bytes.Clone(src)
		for i := range out[1:] {
			if out[i] == 0xff && out[i+1] >= 0xd0 && out[i+1] <= 0xd7 {
				out[i+1] = 0xd0 + to(out[i+1]-0xd0)
			}
		}
		return out
	}
	grey := all["grey"]
	for name, c := range map[string]struct{ like, src []byte }{
		"no end marker":             {plain, end(plain)},
		"half an end marker":        {plain, end(plain, 0xff)},
		"two end markers":           {plain, end(plain, 0xff, 0xd9, 0xff, 0xd9)},
		"padding and no end":        {plain, end(plain, make([]byte, 500)...)},
		"text and no end":           {plain, end(plain, []byte("\r\n--frame\r\n")...)},
		"a second scan":             {plain, append(end(plain), plain[bytes.LastIndex(plain, []byte{0xff, 0xda}):]...)},
		"another picture":           {plain, append(end(plain), plain...)},
		"progressive, no end":       {progressive, end(progressive)},
		"all restarts are 0":        {restart, renumber(restart, func(byte) byte { return 0 })},
		"restarts from 1":           {restart, renumber(restart, func(n byte) byte { return (n + 1) & 7 })},
		"restarts, but no interval": {restart, replaceSegment(t, restart, 0xdd)},
		"an interval of 0":          {restart, replaceSegment(t, restart, 0xdd, markerSegment(0xdd, 0, 0)...)},
		"an interval, but none":     {grey, append(append(bytes.Clone(grey[:2]), markerSegment(0xdd, 0, 7)...), grey[2:]...)},
		"stray bytes before RSTn":   {restart, bytes.ReplaceAll(restart, []byte{0xff, 0xd2}, []byte{0, 0, 0, 0xff, 0xd2})},
		"junk between segments":     {plain, append(append(bytes.Clone(plain[:2]), 0, 0, 0), plain[2:]...)},
		"a restart before the scan": {plain, append(append(bytes.Clone(plain[:2]), 0xff, 0xd0), plain[2:]...)},
	} {
		t.Run(name, func(t *testing.T) {
			var d, fresh luma.Decoder
			want, err := decodeLuma(&fresh, c.like, luma.Full)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := decodeLuma(&d, c.src, luma.Full); err != nil || !bytes.Equal(got, want) {
				t.Errorf("not as the whole picture: %v", err)
			}
		})
	}
}

func TestTablesStayForTheStream(t *testing.T) {
	src := readVectors(t)["420-optimised"]
	bare := bytes.Clone(src)
	for _, kind := range []byte{0xdb, 0xc4} {
		for bytes.Contains(bare, []byte{0xff, kind}) {
			bare = replaceSegment(t, bare, kind)
		}
	}
	var d, late luma.Decoder
	want, err := decodeLuma(&d, src, luma.Full)
	if err != nil {
		t.Fatal(err)
	}
	if err := late.LoadTables(src); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*luma.Decoder{"decoded before": &d, "loaded before": &late} {
		if got, err := decodeLuma(d, bare, luma.Full); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v", name, err)
		}
		d.ForgetTables()
		if _, err := decodeLuma(d, bare, luma.Full); err == nil {
			t.Errorf("%s: decoded without tables", name)
		}
	}
}

func TestOddButLegalPicturesAreRead(t *testing.T) {
	src := encodeJPEG(t, 67, 45, 80, false)
	want := decodeReference(t, src)
	frame := bytes.Index(src, []byte{0xff, 0xc0})
	for name, src := range map[string][]byte{
		"a comment":         append(append(bytes.Clone(src[:frame]), markerSegment(0xfe, []byte("hello")...)...), src[frame:]...),
		"fill bytes":        append(append(bytes.Clone(src[:frame]), 0xff, 0xff, 0xff), src[frame:]...),
		"TEM":               append(append(bytes.Clone(src[:frame]), 0xff, 0x01), src[frame:]...),
		"a tail":            append(bytes.Clone(src), "tail"...),
		"a long last scan":  append(append(bytes.Clone(src[:len(src)-2]), 0, 0, 0, 0), 0xff, 0xd9),
		"fill at the end":   append(append(bytes.Clone(src[:len(src)-2]), 0xff, 0xff), 0xff, 0xd9),
		"Adobe's YCbCr":     append(append(bytes.Clone(src[:frame]), markerSegment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x01")...)...), src[frame:]...),
		"extended":          bytes.Replace(src, []byte{0xff, 0xc0}, []byte{0xff, 0xc1}, 1),
		"interval too long": append(append(bytes.Clone(src[:frame]), markerSegment(0xdd, 0xff, 0xff)...), src[frame:]...),
	} {
		t.Run(name, func(t *testing.T) {
			var d luma.Decoder
			got, err := decodeLuma(&d, src, luma.Full)
			if err != nil {
				t.Fatal(err)
			}
			requireNear(t, got, want, 1)
		})
	}
}

func TestFitChoosesTheLeastReduction(t *testing.T) {
	c := luma.Config{Width: 30000, Height: 30000}
	for pixels, want := range map[int]luma.Scale{900000000: luma.Full, 899999999: luma.Half, 60000000: luma.Quarter, 3750 * 3750: luma.Eighth} {
		if s, ok := c.ScaleToFit(pixels); !ok || s != want {
			t.Errorf("%d pixels: scale %d, %v", pixels, s, ok)
		}
	}
	if s, ok := (luma.Config{Width: 65535, Height: 65535}).ScaleToFit(8191 * 8191); ok { // overflows 32 bits
		t.Errorf("the largest picture: scale %d", s)
	}
	if s, ok := c.ScaleToFit(3750*3750 - 1); ok {
		t.Errorf("too few pixels: scale %d", s)
	}
}

func TestHeaderOfAHugePictureCostsNoMemory(t *testing.T) {
	src := patchSegment(t, patchSegment(t, encodeJPEG(t, 8, 8, 75, true), 0xc0, 1, 30000>>8), 0xc0, 3, 30000>>8)
	src = patchSegment(t, patchSegment(t, src, 0xc0, 2, 30000&0xff), 0xc0, 4, 30000&0xff)
	var c luma.Config
	if n := testing.AllocsPerRun(100, func() { c, _ = luma.ReadConfig(src) }); n > 0 || c.Width != 30000 || c.Height != 30000 {
		t.Errorf("%v allocations for a header of %d×%d", n, c.Width, c.Height)
	}
}

func TestDecodingAllocatesNothing(t *testing.T) {
	var d luma.Decoder
	dst := make([]byte, 67*45)
	for name, src := range readVectors(t) {
		decode := func() {
			if err := d.Decode(dst, src, luma.Full); err != nil {
				t.Fatal(err)
			}
		}
		decode()
		if n := testing.AllocsPerRun(10, decode); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	runtime.KeepAlive(&d)
}

func TestClipsAreAsTheStandardLibraryHasThem(t *testing.T) {
	var d luma.Decoder
	for _, clip := range clips(t) {
		all := aviPictures(t, clip)
		for i := 0; i < len(all); i += 40 {
			got, err := decodeLuma(&d, all[i], luma.Full)
			if err != nil {
				t.Fatalf("%s, picture %d: %v", clip, i, err)
			}
			requireNear(t, got, decodeReference(t, all[i]), 1)
		}
	}
}
