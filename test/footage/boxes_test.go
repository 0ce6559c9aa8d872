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
	"slices"
	"strconv"
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

// fileKind is a network in a .kerb file that is no part of the binary, at the size of
// its own input or, of PATH@SIDE, with a longer side of so many pixels.
func fileKind(name string) detectorKind {
	path, at, _ := strings.Cut(name, "@")
	side, _ := strconv.Atoi(at)
	read := func(t *testing.T) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return detectorKind{
		filepath.Base(name), func(t *testing.T, w, h int) *neural.Net { return planOwn(t, path, read(t), w, h, side) },
		func(t *testing.T) []byte { return append(read(t), at...) },
	}
}

// chosenKinds are the detectors that KERB_DETECTORS names, or the usual ones.
func chosenKinds(t *testing.T, usual string) (chosen []detectorKind) {
	t.Helper()
	kinds := []detectorKind{
		ownKind("street-large", nets.Large), ownKind("street", nets.Street), ownKind("street-small", nets.Small),
		{"yolox", eye, func(t *testing.T) []byte { return []byte("yolox_nano.onnx") }},
		{name: "motion"},
	}
	for _, name := range strings.Split(env("KERB_DETECTORS", usual), ",") {
		i := slices.IndexFunc(kinds, func(k detectorKind) bool { return k.name == name })
		switch {
		case i >= 0:
			chosen = append(chosen, kinds[i])
		case strings.Contains(name, ".kerb"):
			chosen = append(chosen, fileKind(name))
		default:
			t.Fatalf("KERB_DETECTORS: no detector %q", name)
		}
	}
	return chosen
}

// recording is the boxes that a network found in every picture of a clip.
type recording [][]vision.Box

// boxesOf returns the recorded boxes of a clip, from the cache in KERB_BOXES (default:
// kerb-boxes in the folder for temporary files) or by running the network once. The name
// of a cached file has the hash of the network.
// With keep above 1 only one of so many pictures is recorded, in a folder of its own.
func (d detectorKind) boxesOf(t *testing.T, clip string, keep int) recording {
	t.Helper()
	name := strings.TrimSuffix(filepath.Base(clip), ".avi")
	return d.cached(t, name, keep, func() recording { return d.findAll(t, clip, keep) })
}

// cached returns the recording of that name, or makes and keeps it.
func (d detectorKind) cached(t *testing.T, name string, keep int, find func() recording) recording {
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
	if keep > 1 {
		dir += fmt.Sprintf("-%d", keep)
	}
	path := filepath.Join(dir, name+".gob")
	var f recording
	if r, err := os.Open(path); err == nil {
		defer r.Close()
		if err := gob.NewDecoder(r).Decode(&f); err != nil {
			t.Fatalf("%s: %v: delete it", path, err)
		}
		return f
	}
	f = find()
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

// findAll runs the network on one of so many pictures of a clip; the others have no boxes.
func (d detectorKind) findAll(t *testing.T, clip string, keep int) (f recording) {
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
		if f = append(f, nil); (len(f)-1)%keep == 0 {
			f[len(f)-1] = finder.FindBoxes(picture, w, h)
		}
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

// keep returns of how many pictures one is looked at, at so many a second, 0: all.
func (c *clipTruth) keep(every float64) int {
	if every == 0 {
		return 1
	}
	return max(int(math.Round(c.truth.Rate/every)), 1)
}

// countBoxes counts a clip with recorded boxes, or by motion alone where f is nil. It
// keeps every so many pictures a second, 0: all.
func countBoxes(t *testing.T, clip string, c *clipTruth, f recording, every float64) *clipResult {
	t.Helper()
	avi := openClip(t, clip)
	defer avi.Close()
	w, h := avi.Size()
	src := &changed{src: avi, w: w, keep: c.keep(every)}
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
