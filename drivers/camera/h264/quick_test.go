package h264

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"testing"
	"time"
)

func decodeAll(t testing.TB, b []byte) (out [][]byte, sizes []string, errs []error, d *Decoder) {
	d = New(Opts{})
	take := func() {
		for {
			p, ok := d.Next()
			if !ok {
				return
			}
			var pic []byte
			for y := range p.Height {
				pic = append(pic, p.Luma[y*p.Stride:][:p.Width]...)
			}
			out = append(out, pic)
			sizes = append(sizes, fmt.Sprint(p.Width, "x", p.Height))
		}
	}
	for len(b) > 0 {
		var nal []byte
		nal, b = NextNAL(b)
		if err := d.Decode(nal, 0); err != nil {
			errs = append(errs, err)
		}
		take()
	}
	if err := d.Flush(); err != nil {
		errs = append(errs, err)
	}
	take()
	return
}

func TestQuick(t *testing.T) {
	dir := os.Getenv("QUICK")
	files, _ := filepath.Glob(dir)
	sort.Strings(files)
	for _, f := range files {
		b, _ := os.ReadFile(f)
		start := time.Now()
		pics, sizes, errs, d := decodeAll(t, b)
		took := time.Since(start)
		ref, err := exec.Command("ffmpeg", "-v", "error", "-threads", "1", "-i", f, "-fps_mode", "passthrough", "-vf", "extractplanes=y", "-f", "rawvideo", "-pix_fmt", "gray", "-").Output()
		if err != nil {
			fmt.Println(f, "ffmpeg:", err)
		}
		n, bad := 0, -1
		where := ""
		for i, p := range pics {
			if len(ref) < len(p) {
				break
			}
			r := ref[:len(p)]
			ref = ref[len(p):]
			if !bytes.Equal(p, r) && bad < 0 {
				bad = i
				for k := range p {
					if p[k] != r[k] {
						var w, h int
						fmt.Sscanf(sizes[i], "%dx%d", &w, &h)
						where = fmt.Sprint("x ", k%w, " y ", k/w, " got ", p[k], " want ", r[k])
						break
					}
				}
			}
			n++
		}
		left := 0
		if len(pics) > 0 {
			left = len(ref) / len(pics[0])
		}
		s := "OK "
		if bad >= 0 || left > 0 || n < len(pics) || len(errs) > 0 {
			s = "BAD"
		}
		var e error
		if len(errs) > 0 {
			e = errs[0]
		}
		sz := ""
		if len(sizes) > 0 {
			sz = sizes[0]
		}
		fmt.Println(s, filepath.Base(f), sz, "pics", len(pics), "ref left", left, "first bad", bad, where, "errs", len(errs), e, "withheld", d.withheld, took.Round(time.Millisecond))
	}
	_ = md5.New
}
