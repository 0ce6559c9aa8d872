// Command scenes writes pictures of the built-in street with the boxes of all
// objects in them, in the layout of a training set: images/*.png, labels/*.txt
// with `class cx cy w h score kind`, and manifest.jsonl. The pictures are
// drawings that show no real place or person, so they may be stored. It takes
// no pictures from a camera.
//
//	go run ./test/scenes -seeds 40 -shots 4 DIR
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"log"
	"os"
	"path/filepath"

	"kerb/counting"
	"kerb/drivers/camera/scene"
)

// classNumbers are the classes of the label files.
var classNumbers = map[counting.Class]int{
	counting.Person: 0, counting.Bicycle: 1, counting.Motorcycle: 2, counting.Car: 3, counting.Heavy: 4,
}

const (
	frameRate = 10   // frames per second of the street
	firstSeed = 1000 // of each preset's streets
)

// framesBetween is the number of frames from one written picture to the next: six
// seconds at ten frames per second, long enough for the street to change.
const framesBetween = 60

// minVisible is the visible share of an object below which its box is ignored in
// training (chosen by hand): a detector cannot be expected to find it.
const minVisible = 0.3

// sizes are the widths and heights of the pictures, in pixels, by seed.
var sizes = [][2]int{{352, 288}, {416, 234}, {320, 240}, {384, 216}}

func main() {
	log.SetFlags(0)
	seeds := flag.Int("seeds", 40, "streets per preset")
	shots := flag.Int("shots", 4, "pictures per street")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("scenes: usage: scenes [-seeds N] [-shots N] DIR")
	}
	if err := writeSet(flag.Arg(0), *seeds, *shots); err != nil {
		log.Fatalf("scenes: %v", err)
	}
}

// writeSet writes a training set to dir: shots pictures of each of so many streets
// per preset.
func writeSet(dir string, seeds, shots int) error {
	for _, d := range []string{"images", "labels"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	m, err := os.Create(filepath.Join(dir, "manifest.jsonl"))
	if err != nil {
		return err
	}
	for p := scene.Calm; p <= scene.Jam; p++ {
		for seed := range seeds {
			if err := writeStreet(dir, m, p, uint64(firstSeed+seed), shots); err != nil {
				return fmt.Errorf("%s, seed %d: %w", p, firstSeed+seed, err)
			}
		}
	}
	return m.Close()
}

// writeStreet writes shots pictures of one street.
func writeStreet(dir string, manifest io.Writer, p scene.Preset, seed uint64, shots int) error {
	size := sizes[seed%uint64(len(sizes))]
	s, err := scene.New(scene.Opts{Seed: seed, Width: size[0], Height: size[1], Rate: frameRate, Boxes: true, Conditions: p.Conditions()})
	if err != nil {
		return err
	}
	defer s.Close()
	picture := image.NewGray(image.Rect(0, 0, size[0], size[1]))
	for shot := range shots {
		for range framesBetween {
			if _, err := s.ReadInto(context.Background(), picture.Pix); err != nil {
				return err
			}
		}
		name := fmt.Sprintf("%s_%d_%d", p, seed, shot)
		if err := writePicture(dir, manifest, name, picture, s.Boxes(nil)); err != nil {
			return err
		}
	}
	return nil
}

// writePicture writes a picture, its labels and its line of the manifest.
func writePicture(dir string, manifest io.Writer, name string, picture *image.Gray, boxes []scene.Box) error {
	f, err := os.Create(filepath.Join(dir, "images", name+".png"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := png.Encode(f, picture); err != nil {
		return err
	}
	l, err := os.Create(filepath.Join(dir, "labels", name+".txt"))
	if err != nil {
		return err
	}
	defer l.Close()
	for _, b := range boxes {
		number, kind := classNumbers[b.Class], "h"
		if b.Visible < minVisible {
			number, kind = -1, "i"
		}
		x0, y0, x1, y1 := max(b.X0, 0), max(b.Y0, 0), min(b.X1, 1), min(b.Y1, 1)
		fmt.Fprintf(l, "%d %.5f %.5f %.5f %.5f 1 %s\n", number, (x0+x1)/2, (y0+y1)/2, x1-x0, y1-y0, kind)
	}
	return json.NewEncoder(manifest).Encode(map[string]any{
		"file": "images/" + name + ".png", "label": "labels/" + name + ".txt", "split": "train", "source": "scene",
		"licence_class": "permissive", "annotated": []string{"person", "bicycle", "motorcycle", "car", "heavy"},
		"width": picture.Rect.Dx(), "height": picture.Rect.Dy(),
	})
}
