package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Made-up numbers may not reach the broker of a city, and are marked where they may.
func TestMadeUpSourcesAreForLoopbackOrABench(t *testing.T) {
	recording := filepath.Join(t.TempDir(), "clip.mjpeg")
	if err := os.WriteFile(recording, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	loops := "[loop]\nsource = %q\n[[loop.line]]\nname = \"L1\"\ngpio = \"GPIO17\"\n[[loop.lane]]\nid = \"lane\"\nloops = [\"L1\"]\n"
	head := sound[:strings.Index(sound, "[[camera]]")]
	for _, c := range []struct{ text, stream, word string }{
		{sound, "north-kerb", "scene"},
		{strings.Replace(sound, "scene:calm", recording, 1), "north-kerb", "recording"},
		{head + fmt.Sprintf(loops, "street"), "lane", "street"},
		{strings.Replace(sound, "scene:calm", "rtsp://cam/1", 1), "north-kerb", ""},
		{head + fmt.Sprintf(loops, "gpio"), "lane", ""},
	} {
		s, err := Parse("/etc/kerb/site.toml", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range s.Streams() {
			if got := s.MadeUp(st); st.ID == c.stream && got != c.word {
				t.Errorf("made up: %q, want %q", got, c.word)
			}
		}
		far := strings.Replace(c.text, "mqtt://127.0.0.1:1883", "mqtts://broker.example", 1)
		if _, err := Parse("/etc/kerb/site.toml", []byte(far)); (err != nil) != (c.word != "") || err != nil && !strings.Contains(err.Error(), "its numbers are made up") {
			t.Errorf("%s, a broker elsewhere: %v", c.word, err)
		}
		if s, err := Parse("/etc/kerb/site.toml", []byte(strings.Replace(far, "[device]\n", "[device]\nbench = true\n", 1))); err != nil || !s.Device.Bench {
			t.Errorf("%s, a bench: %v", c.word, err)
		}
	}
}

func TestALabelBecomesAValue(t *testing.T) {
	s, err := Parse("/etc/kerb/site.toml", []byte("version = 7\n"+sound+`
[[stream]]
id = "north-kerb"
a = "shops"
b = "park"
bearing = 0
[[stream]]
id = "plaza"
place = { lat = 51.5, lon = -0.1 }
`))
	if err != nil {
		t.Fatal(err)
	}
	line, zone := s.Labels["north-kerb"], s.Labels["plaza"]
	if s.Version != 7 || !strings.HasPrefix(s.Hash, "sha256:") || line.SideA != "shops" || line.SideB != "park" ||
		line.Bearing == nil || *line.Bearing != 0 || line.Place.HasPosition() || !zone.Place.HasPosition() || zone.Bearing != nil {
		t.Errorf("%+v", s)
	}
}
