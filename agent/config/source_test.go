package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestEachFormOfTheKeySourceIsAKind(t *testing.T) {
	for text, want := range map[string]Source{
		"scene:busy?seed=7":         SceneSource{Words: "busy?seed=7"},
		"clip.avi":                  RecordingSource{Path: "clip.avi"},
		"/media/Clip.MJPG":          RecordingSource{Path: "/media/Clip.MJPG", Format: JPEGRecording},
		"1.jpeg":                    RecordingSource{Path: "1.jpeg", Format: StillImage},
		"http://cam/mjpeg":          MJPEGSource{Address{URL: "http://cam/mjpeg", HostPort: "cam:80"}},
		"http://u:p@10.0.0.7:81/":   MJPEGSource{Address{URL: "http://u:p@10.0.0.7:81/", HostPort: "10.0.0.7:81"}},
		"rtsp://u:p@[fe80::1]/":     RTSPSource{Address: Address{URL: "rtsp://u:p@[fe80::1]/", HostPort: "[fe80::1]:554"}},
		"rtsp://u:p@fe80::1/":       nil,
		"https://[2001:db8::1]/a%2": nil,
		"https://[2001:db8::1]/a":   MJPEGSource{Address{URL: "https://[2001:db8::1]/a", HostPort: "[2001:db8::1]:443", TLS: true}},
		"rtsp://cam/1":              RTSPSource{Address: Address{URL: "rtsp://cam/1", HostPort: "cam:554"}},
		"rtsps://cam:8322/1":        RTSPSource{Address: Address{URL: "rtsps://cam:8322/1", HostPort: "cam:8322", TLS: true}},
		"/dev/v4l/by-id/usb-1":      DeviceSource{Path: "/dev/v4l/by-id/usb-1"},
		"csi:1?codec=mjpeg":         CSISource{Number: 1, Width: 640, Height: 480, Rate: 15, Codec: "mjpeg", text: "csi:1?codec=mjpeg"},
		"ftp://cam/1":               nil,
		"http://":                   nil,
		"http://cam:0/":             nil,
		"csi:x":                     nil,
	} {
		got, err := ParseSource(text)
		if want == nil {
			if err == nil {
				t.Errorf("%s became %#v", text, got)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v", text, got, err)
			continue
		}
		if got.String() != text {
			t.Errorf("%s is written as %s", text, got)
		}
	}
}

// The keys command, format, transport and every are part of the source.
func TestTheKeysBesideTheSourceArePartOfIt(t *testing.T) {
	for keys, want := range map[string]Source{
		"source = \"rtsp://cam/1\"\ntransport = \"udp\"":                  RTSPSource{Address{"rtsp://cam/1", "cam:554", false}, true, false},
		"source = \"rtsp://cam/1\"\ndecoder = \"ffmpeg\"":                 RTSPSource{Address{"rtsp://cam/1", "cam:554", false}, false, true},
		"command = [\"/bin/sh\", \"-c\", \"x\"]\nformat = \"gray:64x48\"": CommandSource{[]string{"/bin/sh", "-c", "x"}, "gray:64x48"},
		`source = "scene:calm"`:                                           SceneSource{"calm"},
	} {
		s, err := Parse("/etc/kerb/site.toml", []byte(strings.Replace(sound, `source = "scene:calm"`, keys, 1)))
		if err != nil || !reflect.DeepEqual(s.Cameras[0].Source, want) {
			t.Errorf("%s: %v, %v", keys, s, err)
		}
	}
	text := sound[:strings.Index(sound, "fps = 10")] + "every = \"2m\"\n" + sound[strings.Index(sound, "[[camera.zone]]"):]
	s, err := Parse("/etc/kerb/site.toml", []byte(strings.Replace(text, "scene:calm", "https://cam/1.jpg", 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := SnapshotSource{Address{"https://cam/1.jpg", "cam:443", true}, 2 * time.Minute}
	if c := s.Cameras[0]; c.Source != want || !c.Polled() || c.Address() != want.Address || fmt.Sprint(c.Source) != want.URL {
		t.Errorf("every: %#v", c.Source)
	}
}
