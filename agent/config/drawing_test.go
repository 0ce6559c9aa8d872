package config

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kerb/counting"
)

func shipped(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../../configs/site-camera.toml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRedrawingLeavesEveryOtherByte(t *testing.T) {
	data := shipped(t)
	site, err := Parse("site.toml", data)
	if err != nil {
		t.Fatal(err)
	}
	d := site.Cameras[0].Drawing()
	out, err := ReplaceDrawing("site.toml", data, 0, d)
	if err != nil || string(out) != string(data) {
		t.Fatalf("drawn as it was, the file is not as it was: %v\n%s", err, out)
	}
	d.Lines = append([]Line{}, d.Lines...)
	d.Lines[0].To = counting.Point{X: 0.5, Y: 0.25}
	out, err = ReplaceDrawing("site.toml", data, 0, d)
	want := strings.Replace(string(data), "to = [0.45, 0.62]", "to = [0.5, 0.25]", 1)
	if err != nil || string(out) != want {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestWhatIsRemovedTakesItsCommentAndNoOther(t *testing.T) {
	data := shipped(t)
	site, _ := Parse("site.toml", data)
	d := site.Cameras[0].Drawing()
	d.Lines, d.Masks, d.Heights = d.Lines[:1], nil, nil
	d.Zones = append(d.Zones, Zone{counting.Zone{ID: "new", Polygon: counting.Polygon{{X: 0, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}}}, []counting.Class{counting.Person}})
	out, err := ReplaceDrawing("site.toml", data, 0, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"north-road", "[[camera.mask]]", "[[camera.height]]"} {
		if strings.Contains(string(out), gone) {
			t.Errorf("%s is still there", gone)
		}
	}
	for _, stays := range []string{"# Lines and zones: x and y", "fps = 10", "# Whom this device trusts", "polygon = [[0, 0], [1, 0], [1, 1]]"} {
		if !strings.Contains(string(out), stays) {
			t.Errorf("%s is gone:\n%s", stays, out)
		}
	}
}

func TestAWrongDrawingIsToldAsKerbCheckWould(t *testing.T) {
	data := shipped(t)
	site, _ := Parse("site.toml", data)
	d := site.Cameras[0].Drawing()
	d.Lines = []Line{d.Lines[0], d.Lines[0]}
	if _, err := ReplaceDrawing("site.toml", data, 0, d); err == nil || !strings.Contains(err.Error(), "must be unique") {
		t.Errorf("two lines of one name: %v", err)
	}
	d.Lines[1].ID = "Not A Name"
	if _, err := ReplaceDrawing("site.toml", data, 0, d); err == nil || !strings.Contains(err.Error(), "try not-a-name") {
		t.Errorf("a name that is none: %v", err)
	}
}

const awkward = `device = { name = "d", site = "s", tenant = "t" }
broker = { url = "mqtt://127.0.0.1" }
[[camera]]
name = "one" # the first
source = "scene:calm"
  [[camera.line]] # an indented one
  id = "a" # with a comment
  from = [ # over
    0.1, 0.2, # several
  ] # lines
  to = [0.9, 0.2]
[[camera]]
name = "two"
source = "scene:calm"
[[camera.zone]]
id = "z"
polygon = [
  [0, 0],
  [1, 0],
  [1, 1],
]`

// Any drawing can be written, and everything else stays equal. The function
// under test parses its result and refuses it otherwise, so it must never
// refuse here.
func TestAnyDrawingCanBeWrittenIntoAnyFile(t *testing.T) {
	point := rapid.Custom(func(t *rapid.T) counting.Point {
		return counting.Point{X: rapid.Float64Range(0, 1).Draw(t, "x"), Y: rapid.Float64Range(0, 1).Draw(t, "y")}
	})
	ring := rapid.Custom(func(t *rapid.T) (g []counting.Point) { // corners in their order around the middle: no sides cross
		n := rapid.IntRange(3, 8).Draw(t, "corners")
		for i := range n {
			sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
			r := rapid.Float64Range(0.05, 0.5).Draw(t, "radius")
			g = append(g, counting.Point{X: 0.5 + r*cos, Y: 0.5 + r*sin})
		}
		return g
	})
	texts := [][]byte{shipped(t), []byte(awkward)}
	rapid.Check(t, func(t *rapid.T) {
		data := texts[rapid.IntRange(0, 1).Draw(t, "file")]
		site, err := Parse("site.toml", data)
		if err != nil {
			t.Fatal(err)
		}
		for round := range 3 {
			camera := rapid.IntRange(0, len(site.Cameras)-1).Draw(t, "camera")
			d := Drawing{}
			was := site.Cameras[camera].Drawing()
			for i := range rapid.IntRange(1, 4).Draw(t, "lines") {
				l := Line{counting.Line{ID: fmt.Sprintf("r%d-%d-%d", round, camera, i), From: point.Draw(t, "from"), To: point.Draw(t, "to")}, []counting.Class{counting.Person}}
				l.From.X, l.To.X = l.From.X*0.4, 0.6+l.To.X*0.4 // a line has a length
				if i < len(was.Lines) && rapid.Bool().Draw(t, "keep") {
					l = was.Lines[i]
				}
				d.Lines = append(d.Lines, l)
			}
			for i := range rapid.IntRange(0, 2).Draw(t, "zones") {
				d.Zones = append(d.Zones, Zone{counting.Zone{ID: fmt.Sprintf("q%d-%d-%d", round, camera, i), Polygon: ring.Draw(t, "zone")}, []counting.Class{counting.Vehicle}})
			}
			for range rapid.IntRange(0, 2).Draw(t, "masks") {
				d.Masks = append(d.Masks, ring.Draw(t, "mask"))
			}
			out, err := ReplaceDrawing("site.toml", data, camera, d)
			if err != nil {
				t.Fatalf("%v\n%s", err, data)
			}
			data = out
			if site, err = Parse("site.toml", data); err != nil {
				t.Fatal(err)
			}
		}
	})
}
