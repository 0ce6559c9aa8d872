package cameratest

import "bytes"

// jpegQuirks are the rows of JPEG, sent as a stream by HTTP.
func jpegQuirks() (all []Quirk) {
	add := func(name, report string, ffmpeg, kerb Result, change func(n int, j []byte) []byte) {
		s := httpCamera{picture: change}
		all = append(all, Quirk{Name: "JPEG: " + name, Report: report, FFmpeg: ffmpeg, Kerb: kerb, scheme: "http", path: "/stream.mjpg", serve: s.serve})
	}
	every := func(f func(j []byte) []byte) func(int, []byte) []byte {
		return func(_ int, j []byte) []byte { return f(j) }
	}
	tail := func(more string) func(int, []byte) []byte {
		return every(func(j []byte) []byte { return append(j[:len(j)-2], more...) })
	}
	add("no end marker", "jacksonliam/mjpg-streamer#47", Reads, Reads, tail(""))
	add("half an end marker", "intel/libyami#801", Reads, Reads, tail("\xff"))
	add("two of three without an end marker", "espressif/esp32-camera#483", Reads, Reads, func(n int, j []byte) []byte {
		if n%3 > 0 {
			return j[:len(j)-2]
		}
		return j
	})
	add("two end markers", "intel/libyami#832", Reads, Reads, tail("\xff\xd9\xff\xd9"))
	add("fill bytes before the end marker", "image-rs/jpeg-decoder#147", Reads, Reads, tail("\xff\xff\xff\xd9"))
	add("zeros before the end marker", own, Reads, Reads, tail("\x00\x00\x00\x00\xff\xd9"))
	add("padding after the end marker", own, Reads, Reads, tail("\xff\xd9\x00\x00\x00\x00"))
	add("stray bytes between segments", own, Reads, Reads, every(func(j []byte) []byte { return insert(j, bytes.Index(j, []byte{0xff, 0xc0}), []byte{0, 0}) }))
	add("tables in the first picture only", own, Reads, Reads, func(n int, j []byte) []byte {
		if n == 0 {
			return j
		}
		return withoutSegments(j, 0xdb, 0xc4)
	})
	add("no Huffman tables", "gen2brain/cam2ip#20", Reads, Reads, every(func(j []byte) []byte { return withoutSegments(j, 0xc4) }))
	add("an interval of restarts, but none", own, Reads, Reads, every(func(j []byte) []byte { return insert(j, 2, []byte{0xff, 0xdd, 0, 4, 0, 3}) }))
	add("a first picture that is none", "libuvc/libuvc#122", Reads, Reads, func(n int, j []byte) []byte {
		if n == 0 {
			return append([]byte{0xa8, 0x0a}, j[len(j)/2:]...)
		}
		return j
	})
	add("a thumbnail in Exif", own, Reads, Reads, every(func(j []byte) []byte {
		n := len(j) + 2
		return insert(j, 2, append([]byte{0xff, 0xe1, byte(n >> 8), byte(n)}, j...))
	}))
	add("cut in the middle", own, Reads, "% of it is there", every(func(j []byte) []byte { return append(j[:len(j)*2/3], 0xff, 0xd9) }))
	add("12 bits a sample", own, Reads, "12 bits a sample", every(func(j []byte) []byte {
		j[bytes.Index(j, []byte{0xff, 0xc0})+4] = 12
		return j
	}))
	add("arithmetic coding", own, Refuses, "arithmetic coding", every(func(j []byte) []byte {
		j[bytes.Index(j, []byte{0xff, 0xc0})+1] = 0xc9
		return j
	}))
	return all
}

// withoutSegments removes all segments of some kinds before the scan.
func withoutSegments(j []byte, kinds ...byte) []byte {
	out := append([]byte{}, j[:2]...)
	for i := 2; i+3 < len(j); {
		n := 2 + int(j[i+2])<<8 + int(j[i+3])
		if j[i+1] == 0xda {
			return append(out, j[i:]...)
		}
		if bytes.IndexByte(kinds, j[i+1]) < 0 {
			out = append(out, j[i:i+n]...)
		}
		i += n
	}
	return out
}
