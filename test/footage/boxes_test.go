//go:build boxes

package footage

import (
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerb/counting/neural"
	"kerb/counting/neural/nets"
	"kerb/counting/vision"
	"kerb/drivers/camera"
)

// detectorKind is a detector that TestTruth compares: a network, or motion alone.
type detectorKind struct {
	name string
	eye  func(t *testing.T, w, h int) *neural.Net // nil: motion alone
	id   func(t *testing.T) []byte                // what the network is, for its cache
}

func ownKind(name, file string) detectorKind {
	return detectorKind{
		name, func(t *testing.T, w, h int) *neural.Net { return own(t, file, w, h) },
		func(*testing.T) []byte { return nets.ReadNet(file) },
	}
}

// detectorKinds are the detectors by the names of KERB_DETECTORS.
func detectorKinds() []detectorKind {
	return []detectorKind{
		ownKind("street", nets.Street), ownKind("street-small", nets.Small),
		{"yolox", eye, func(t *testing.T) []byte { return []byte("yolox_nano.onnx") }},
		{name: "motion"},
	}
}

// recording is the boxes that a network found in every picture of a clip.
type recording [][]vision.Box

// boxesOf returns the recorded boxes of a clip, from the cache in KERB_BOXES (default:
// kerb-boxes in the folder for temporary files) or by running the network once. The name
// of a cached file has the hash of the network.
func (d detectorKind) boxesOf(t *testing.T, clip string) recording {
	t.Helper()
	id := d.id(t)
	if id == nil {
		t.Skipf("no network %s in this build", d.name)
	}
	dir := os.Getenv("KERB_BOXES")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "kerb-boxes")
	}
	sum := sha256.Sum256(id)
	dir = filepath.Join(dir, d.name+"-"+hex.EncodeToString(sum[:4]))
	path := filepath.Join(dir, strings.TrimSuffix(filepath.Base(clip), ".avi")+".gob")
	var f recording
	if r, err := os.Open(path); err == nil {
		defer r.Close()
		if err := gob.NewDecoder(r).Decode(&f); err != nil {
			t.Fatalf("%s: %v: delete it", path, err)
		}
		return f
	}
	f = d.findAll(t, clip)
	if err := errors.Join(os.MkdirAll(dir, 0o700), writeFilm(path, f)); err != nil {
		t.Fatal(err)
	}
	return f
}

func writeFilm(path string, f recording) error {
	w, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	return errors.Join(gob.NewEncoder(w).Encode(f), w.Close(), os.Rename(path+".part", path))
}

// findAll runs the network on every picture of a clip.
func (d detectorKind) findAll(t *testing.T, clip string) (f recording) {
	t.Helper()
	avi := openClip(t, clip)
	defer avi.Close()
	w, h := avi.Size()
	net := d.eye(t, w, h)
	finder, err := vision.NewBoxFinder(net, w, h)
	if err != nil {
		t.Fatal(err)
	}
	picture := make([]byte, w*h)
	for {
		_, err := avi.ReadInto(context.Background(), picture)
		if errors.Is(err, io.EOF) {
			net.Close()
			return f
		}
		if err != nil {
			t.Fatal(err)
		}
		f = append(f, finder.FindBoxes(picture, w, h))
	}
}

func openClip(t *testing.T, path string) *camera.AVI {
	t.Helper()
	avi, err := camera.OpenAVI(path, camera.Limits{MaxPixels: 640 * 480, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return avi
}

// countBoxes counts a clip with recorded boxes, or by motion alone where f is nil. It
// keeps every so many pictures a second, 0: all.
func countBoxes(t *testing.T, clip string, c *clipTruth, f recording, every float64) *clipResult {
	t.Helper()
	avi := openClip(t, clip)
	defer avi.Close()
	w, h := avi.Size()
	src := &changed{src: avi, w: w, keep: 1}
	if every > 0 {
		src.keep = max(int(math.Round(c.truth.Rate/every)), 1)
	}
	o := vision.Opts{Width: w, Height: h, FollowMax: followMax, Workers: 1}
	for _, l := range c.truth.Lines {
		o.Lines = append(o.Lines, l.Line)
	}
	var counter *vision.Counter
	var err error
	if f == nil {
		counter, err = vision.New(src, o)
	} else {
		counter, err = vision.NewFromBoxes(src, o, func() []vision.Box { return f[src.read-1] })
	}
	if err != nil {
		t.Fatal(err)
	}
	defer counter.Close()
	crossings, err := countAll(counter)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", clip, err))
	}
	return c.score(crossings, f, w, h)
}
