// Command jpeg decodes every picture of a Motion-JPEG AVI file to luma, on one
// thread, and prints the median over the passes of nanoseconds of CPU time per
// picture: the peer of turbo.c.
//
//	jpeg CLIP PASSES
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"kerb/drivers/camera/luma"
)

func main() {
	if err := measureJPEG(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "jpeg:", err)
		os.Exit(1)
	}
}

func measureJPEG(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: jpeg CLIP PASSES")
	}
	file, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	passes, err := strconv.Atoi(args[1])
	if err != nil || passes < 1 {
		return fmt.Errorf("passes: must be 1 or more")
	}
	pictures := splitPictures(file)
	if len(pictures) == 0 {
		return fmt.Errorf("%s: no pictures", args[0])
	}
	c, err := luma.ReadConfig(pictures[0])
	if err != nil {
		return err
	}
	dst := make([]byte, c.Width*c.Height)
	var d luma.Decoder
	var ns []int64
	for range passes + 1 {
		start := cpuTime()
		for i, p := range pictures {
			if err := d.Decode(dst, p, luma.Full); err != nil {
				return fmt.Errorf("picture %d: %w", i, err)
			}
		}
		ns = append(ns, (cpuTime()-start).Nanoseconds()/int64(len(pictures)))
	}
	ns = ns[1:] // the first pass warms up
	slices.Sort(ns)
	fmt.Println(ns[len(ns)/2])
	return nil
}

// cpuTime returns the CPU time of this process, user and system. Other programs
// on the machine change it little.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // cannot happen with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// splitPictures returns the pictures of an AVI file, found in the same way as in
// turbo.c.
func splitPictures(file []byte) (pictures [][]byte) {
	for p := 0; p+12 <= len(file); {
		if bytes.HasPrefix(file[p:], []byte("RIFF")) || bytes.HasPrefix(file[p:], []byte("LIST")) {
			p += 12
			continue
		}
		size := int(binary.LittleEndian.Uint32(file[p+4:]))
		if p+8+size > len(file) {
			break
		}
		if string(file[p:p+4]) == "00dc" && size > 0 {
			pictures = append(pictures, file[p+8:p+8+size])
		}
		p += 8 + size + size&1
	}
	return pictures
}
