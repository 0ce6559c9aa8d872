package v4l2

import (
	"testing"
	"unsafe"
)

// The numbers are those that a C compiler makes of videodev2.h on 64 bits; on
// 32 bits the structures with pointers and times are shorter.
func TestRequestsAreTheKernels(t *testing.T) {
	wide := map[string][2]uintptr{
		"QUERYCAP": {queryCap, 0x80685600}, "ENUM_FMT": {enumFmt, 0xc0405602}, "REQBUFS": {reqBufs, 0xc0145608},
		"STREAMON": {streamOn, 0x40045612}, "STREAMOFF": {streamOff, 0x40045613}, "S_PARM": {setParm, 0xc0cc5616},
		"ENUM_FRAMESIZES": {enumSizes, 0xc02c564a}, "ENUM_FRAMEINTERVALS": {enumIntervals, 0xc034564b},
	}
	if unsafe.Sizeof(uintptr(0)) == 8 {
		for name, n := range map[string][2]uintptr{
			"G_FMT": {getFmt, 0xc0d05604}, "S_FMT": {setFmt, 0xc0d05605}, "QUERYBUF": {queryBuf, 0xc0585609},
			"QBUF": {qBuf, 0xc058560f}, "DQBUF": {dqBuf, 0xc0585611},
		} {
			wide[name] = n
		}
	} else {
		for name, n := range map[string][2]uintptr{
			"G_FMT": {getFmt, 0xc0cc5604}, "S_FMT": {setFmt, 0xc0cc5605}, "QUERYBUF": {queryBuf, 0xc0445609},
			"QBUF": {qBuf, 0xc044560f}, "DQBUF": {dqBuf, 0xc0445611},
		} {
			wide[name] = n
		}
	}
	for name, n := range wide {
		if n[0] != n[1] {
			t.Errorf("VIDIOC_%s is %#x, want %#x", name, n[0], n[1])
		}
	}
	if got := pixelOf(fourCC(YUYV)); got != YUYV || fourCC(Grey) != 0x59455247 {
		t.Errorf("%q, %#x", got, fourCC(Grey))
	}
}

// A format without sizes in steps gets the usual ones within its range.
func TestRangesOfSizes(t *testing.T) {
	if got := usualSizes([6]uint32{16, 1920, 2, 16, 1080, 2}); len(got) != 4 || got[2] != [2]uint32{640, 480} {
		t.Errorf("%v", got)
	}
	if got := usualSizes([6]uint32{1000, 1920, 8, 1000, 1080, 8}); len(got) != 1 || got[0] != [2]uint32{1000, 1000} {
		t.Errorf("%v", got)
	}
}
