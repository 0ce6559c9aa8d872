package h264_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kerb/drivers/camera/h264"
)

// vectors are the streams of testdata with the MD5 of each picture's luma as ffmpeg
// decodes it. libx264 made them of a test picture.
var vectors = []string{"baseline", "main", "high", "mono", "refresh"}

// readVector returns a stream and the hashes of its pictures.
func readVector(t testing.TB, name string) (stream []byte, hashes []string) {
	stream, err := os.ReadFile(filepath.Join("testdata", name+".264"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", name+".md5"))
	if err != nil {
		t.Fatal(err)
	}
	return stream, strings.Fields(string(text))
}

func TestBitExactOnVectors(t *testing.T) {
	for _, name := range vectors {
		stream, want := readVector(t, name)
		got := decodeStream(stream)
		if at := firstDifference(got.pictures, want); at >= 0 || got.refused != nil || got.damage != nil {
			t.Errorf("%s: picture %d differs: %v %v", name, at, got.refused, got.damage)
		}
	}
}

func TestOtherFeaturesAreRefusedByName(t *testing.T) {
	for name, words := range map[string]string{
		"interlaced": "interlaced", "high10": "10 bits", "high422": "4:2:2", "high444": "4:4:4", "lossless": "lossless",
	} {
		stream, err := os.ReadFile(filepath.Join("testdata", name+".264"))
		if err != nil {
			t.Fatal(err)
		}
		got := decodeStream(stream)
		if got.refused == nil || !strings.Contains(got.refused.Error(), words) || !strings.Contains(got.refused.Error(), "set the camera") || len(got.pictures) > 0 {
			t.Errorf("%s: %d pictures, %v", name, len(got.pictures), got.refused)
		}
	}
	stream, _ := readVector(t, "baseline")
	partition := bytes.Replace(stream, []byte{0, 0, 1, 0x65}, []byte{0, 0, 1, 0x62}, 1)
	if got := decodeStream(partition); got.refused == nil || !strings.Contains(got.refused.Error(), "partitions") {
		t.Errorf("data partitions: %v", got.refused)
	}
}

// splitNALs returns the NAL units of a stream.
func splitNALs(stream []byte) (nals [][]byte) {
	for nal, rest := h264.NextNAL(stream); nal != nil; nal, rest = h264.NextNAL(rest) {
		nals = append(nals, nal)
	}
	return nals
}

// joinNALs is the inverse.
func joinNALs(nals [][]byte) (stream []byte) {
	for _, nal := range nals {
		stream = append(append(stream, 0, 0, 0, 1), nal...)
	}
	return stream
}

func TestSlicesInArbitraryOrderAreRefused(t *testing.T) {
	stream, _ := readVector(t, "baseline")
	nals := splitNALs(stream)
	for i, nal := range nals {
		if nal[0]&0x1f == 7 {
			nals[i][2] &^= 0x40 // constraint_set1_flag: Baseline, not Constrained Baseline
		}
		if nal[0]&0x1f == 5 {
			nals[i], nals[i+1] = nals[i+1], nals[i]
			break
		}
	}
	if got := decodeStream(joinNALs(nals)); got.refused == nil || !strings.Contains(got.refused.Error(), "ASO") {
		t.Errorf("%v %v", got.refused, got.damage)
	}
}

// countingMemory counts bytes allocated and not freed.
type countingMemory struct{ calls, bytes int }

func (m *countingMemory) Bytes(n int) ([]byte, error) {
	m.calls++
	m.bytes += n
	return make([]byte, n), nil
}

func (m *countingMemory) Free(b []byte) {
	m.bytes -= len(b)
	clear(b)
}

func TestPicturesLieInTheCallersMemoryAndCostNone(t *testing.T) {
	for _, name := range vectors {
		stream, hashes := readVector(t, name)
		nals := splitNALs(stream)
		var m countingMemory
		d := h264.New(h264.Opts{Memory: &m})
		pictures := 0
		play := func() {
			for _, nal := range nals {
				if err := d.Decode(nal, 0); err != nil {
					t.Fatal(err)
				}
				for _, ok := d.Next(); ok; _, ok = d.Next() {
					pictures++
				}
			}
		}
		play()
		calls := m.calls
		if n := testing.AllocsPerRun(5, play); n > 0 || m.calls != calls {
			t.Errorf("%s: %v allocations and %d blocks for %d pictures", name, n, m.calls-calls, len(hashes))
		}
		if pictures < 5*len(hashes) {
			t.Errorf("%s: %d pictures", name, pictures)
		}
		if d.Close(); m.bytes != 0 {
			t.Errorf("%s: %d bytes are not freed", name, m.bytes)
		}
	}
}

func TestSizeIsCheckedBeforeMemoryIsAllocated(t *testing.T) {
	stream, _ := readVector(t, "baseline")
	var m countingMemory
	d := h264.New(h264.Opts{Memory: &m, MaxMacroblocks: 34})
	var refused error
	for _, nal := range splitNALs(stream) {
		if err := d.Decode(nal, 0); err != nil {
			refused = err
		}
	}
	if _, ok := errors.AsType[h264.UnsupportedError](refused); !ok || m.bytes > 1<<17 {
		t.Errorf("%v, %d bytes", refused, m.bytes)
	}
}

// A stream that changes its size in the middle delivers all pictures of both.
func TestSizeMayChangeInTheMiddle(t *testing.T) {
	first, want := readVector(t, "main")
	second, more := readVector(t, "refresh")
	mono, last := readVector(t, "mono")
	got := decodeStream(slices.Concat(first, mono, second, first))
	want = slices.Concat(want, last, more, want)
	if at := firstDifference(got.pictures, want); at >= 0 || got.damage != nil {
		t.Errorf("picture %d differs: %v", at, got.damage)
	}
}

func TestOnlyTheChosenPicturesAreDecoded(t *testing.T) {
	stream, want := readVector(t, "main")
	for skip, most := range map[h264.Skip]int{h264.SkipNonReference: len(want) - 3, h264.SkipNonKey: 2} {
		d := h264.New(h264.Opts{})
		d.SetSkip(skip)
		var got []string
		take := func() {
			for p, ok := d.Next(); ok; p, ok = d.Next() {
				got = append(got, hashPicture(p))
			}
		}
		for _, nal := range splitNALs(stream) {
			if err := d.Decode(nal, 0); err != nil {
				t.Fatal(err)
			}
			take()
		}
		_ = d.Flush()
		take()
		if len(got) == 0 || len(got) > most || !isSubsequence(got, want) {
			t.Errorf("skip %d: %d of %d pictures", skip, len(got), len(want))
		}
	}
}

// isSubsequence reports whether all of some are in all, in this order.
func isSubsequence(some, all []string) bool {
	for _, s := range some {
		at := slices.Index(all, s)
		if at < 0 {
			return false
		}
		all = all[at+1:]
	}
	return true
}

// damageStream returns a stream with one kind of damage, and whether each
// picture that is still delivered must be one of the undamaged stream.
func damageStream(r *rand.Rand, nals [][]byte) (stream []byte, exact bool) {
	nals = slices.Clone(nals)
	i := r.IntN(len(nals))
	switch kind := r.IntN(4); kind {
	case 0: // a NAL unit is lost
		return joinNALs(slices.Delete(nals, i, i+1)), true
	case 1: // one is cut
		nals[i] = nals[i][:r.IntN(len(nals[i]))]
		return joinNALs(nals), false
	case 2: // two change places, less than a round of frame_num apart
		j := min(i+1+r.IntN(4), len(nals)-1)
		nals[i], nals[j] = nals[j], nals[i]
		const sei = 6 // marks the slice behind it
		return joinNALs(nals), nals[i][0]&0x1f != sei && nals[j][0]&0x1f != sei
	}
	for range 1 + r.IntN(8) { // bits are flipped
		i = r.IntN(len(nals))
		nals[i] = slices.Clone(nals[i])
		nals[i][r.IntN(len(nals[i]))] ^= 1 << r.IntN(8)
	}
	return joinNALs(nals), false
}

// TestDamageIsNotDelivered damages streams: 400, or with KERB_LONG 100,000. A
// lost or misplaced NAL unit never gives a picture that differs. A cut slice and
// flipped bits may decode as other, valid video; those pictures are counted.
func TestDamageIsNotDelivered(t *testing.T) {
	from, to := rangeOf(t, 400, 100000)
	delivered, other, streams := 0, 0, 0
	for i := from; i < to; i++ {
		r := rand.New(rand.NewPCG(5, uint64(i)))
		name := vectors[i%len(vectors)]
		stream, want := readVector(t, name)
		damaged, exact := damageStream(r, splitNALs(stream))
		got := decodeStream(damaged)
		delivered += len(got.pictures)
		different := 0
		for _, p := range got.pictures {
			if !slices.Contains(want, p) {
				different++
			}
		}
		if exact && different > 0 {
			t.Errorf("stream %d, %s: %d pictures differ after a loss", i, name, different)
		}
		if other += different; different > 0 {
			streams++
		}
	}
	t.Logf("%d streams: %d pictures delivered, %d of %d cut or flipped streams differ unseen", to-from, delivered, other, streams)
}
