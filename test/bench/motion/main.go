// Command motion times the motion detector over a clip's pictures in memory, and
// writes the pictures to a file for a peer.
//
//	motion time CLIP PASSES   prints nanoseconds and allocations per picture
//	motion rss CLIP -         counts as the clip is read, prints peak RSS in MB
//	motion raw CLIP FILE      writes luma, prints width and height
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"kerb/counting"
	"kerb/counting/vision"
	"kerb/drivers/camera"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: motion time CLIP PASSES | motion raw CLIP FILE")
		os.Exit(2)
	}
	if err := runVerb(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "motion:", err)
		os.Exit(1)
	}
}

func runVerb(verb, clip, last string) error {
	if verb == "rss" {
		return printPeakRSS(clip)
	}
	t, err := loadClip(clip)
	if err != nil {
		return err
	}
	if verb == "raw" {
		fmt.Println(t.w, t.h)
		return os.WriteFile(last, t.pictures, 0o600)
	}
	passes, err := strconv.Atoi(last)
	if err != nil {
		return err
	}
	var spent time.Duration
	var allocs uint64
	for range passes {
		d, a, err := t.timeDetector()
		if err != nil {
			return err
		}
		spent, allocs = spent+d, allocs+a
	}
	n := passes * len(t.at)
	fmt.Printf("%d %.3f\n", spent.Nanoseconds()/int64(n), float64(allocs)/float64(n))
	return nil
}

// memoryClip holds the luma of a clip's pictures and their times.
type memoryClip struct {
	w, h     int
	pictures []byte
	at       []time.Time
	index    int // of the picture to read
}

func loadClip(clip string) (*memoryClip, error) {
	avi, err := camera.OpenAVI(clip, camera.Limits{MaxPixels: 1 << 20, MaxBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	defer avi.Close()
	t := &memoryClip{}
	t.w, t.h = avi.Size()
	buf := make([]byte, t.w*t.h)
	for {
		at, err := avi.ReadInto(context.Background(), buf)
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		t.pictures, t.at = append(t.pictures, buf...), append(t.at, at)
	}
}

// ReadInto copies the next picture into dst and returns its time, or io.EOF after
// the last. It is a vision.Source.
func (t *memoryClip) ReadInto(_ context.Context, dst []byte) (time.Time, error) {
	if t.index == len(t.at) {
		return time.Time{}, io.EOF
	}
	copy(dst, t.pictures[t.index*len(dst):])
	t.index++
	return t.at[t.index-1], nil
}

// timeDetector runs the detector over the clip from its first picture.
func (t *memoryClip) timeDetector() (time.Duration, uint64, error) {
	t.index = 0
	return timeDetector(t, t.w, t.h)
}

// timeDetector runs the detector over src on one worker until the end. It returns
// the duration and the number of allocations, both without those of New.
func timeDetector(src vision.Source, w, h int) (spent time.Duration, allocs uint64, err error) {
	line := counting.Line{ID: "middle", From: counting.Point{X: 0, Y: 0.5}, To: counting.Point{X: 1, Y: 0.5}}
	c, err := vision.New(src, vision.Opts{Width: w, Height: h, Lines: []counting.Line{line}, FollowMax: time.Minute, Workers: 1})
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	for err == nil {
		_, err = c.Step(context.Background())
	}
	spent = time.Since(begin)
	runtime.ReadMemStats(&after)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return spent, after.Mallocs - before.Mallocs, err
}

// printPeakRSS counts a clip as it is read and prints the peak resident set size,
// in MB.
func printPeakRSS(clip string) error {
	avi, err := camera.OpenAVI(clip, camera.Limits{MaxPixels: 1 << 20, MaxBytes: 1 << 20})
	if err != nil {
		return err
	}
	defer avi.Close()
	w, h := avi.Size()
	if _, _, err := timeDetector(avi, w, h); err != nil {
		return err
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return err
	}
	fmt.Println(u.Maxrss >> 10) // KiB on Linux
	return nil
}
