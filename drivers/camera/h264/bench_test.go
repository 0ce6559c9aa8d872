package h264_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"kerb/drivers/camera/h264"
)

// processorTime returns the user and system time of this process.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestProcessorTimeBesideFFmpeg compares the processor time for the luma of each stream
// of the folder KERB_H264_BENCH with that of ffmpeg -threads 1, which writes the luma
// to a pipe. It measures and asserts nothing about time.
func TestProcessorTimeBesideFFmpeg(t *testing.T) {
	dir := os.Getenv("KERB_H264_BENCH")
	if dir == "" {
		t.Skip("KERB_H264_BENCH names no folder of streams")
	}
	findFFmpeg(t)
	paths, _ := filepath.Glob(filepath.Join(dir, "*.264"))
	for _, path := range paths {
		nals := splitNALs(byteStream(t, path))
		best, peer, pictures := time.Hour, time.Hour, 0
		for range 3 {
			begun := processorTime()
			d := h264.New(h264.Opts{})
			pictures = 0
			take := func() {
				for p, ok := d.Next(); ok; p, ok = d.Next() {
					pictures += min(1, len(p.Luma))
				}
			}
			for _, nal := range nals {
				if err := d.Decode(nal, 0); err != nil {
					t.Fatal(err)
				}
				take()
			}
			_ = d.Flush()
			take()
			best = min(best, processorTime()-begun)
			cmd := exec.Command("ffmpeg", "-v", "fatal", "-threads", "1", "-i", path, "-fps_mode", "passthrough", "-vf", "extractplanes=y", "-f", "rawvideo", "-")
			out, err := cmd.Output()
			if err != nil || len(out) == 0 {
				t.Fatal(err)
			}
			peer = min(peer, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		}
		if pictures == 0 {
			t.Fatalf("%s: no picture", path)
		}
		t.Logf("%-14s %d pictures: %.2f ms each, ffmpeg %.2f ms, ratio %.2f", filepath.Base(path), pictures,
			best.Seconds()*1e3/float64(pictures), peer.Seconds()*1e3/float64(pictures), float64(best)/float64(peer))
	}
}
