package admission

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kerb/agent/config"
	"kerb/agent/policy"
	"kerb/agent/policy/policytest"
	"kerb/counting"
)

// address returns the address of a camera as site.toml would have it.
func address(t *testing.T, url string) config.Address {
	t.Helper()
	s, err := config.ParseSource(url)
	if err != nil {
		t.Fatal(err)
	}
	return config.Camera{Source: s}.Address()
}

// One sensor under several names is charged as one, however its names are written.
func TestOneCameraUnderTwoNamesIsOneSensor(t *testing.T) {
	dir := t.TempDir()
	device, link := filepath.Join(dir, "video0"), filepath.Join(dir, "by-id")
	if err := os.WriteFile(device, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(device, link); err != nil {
		t.Fatal(err)
	}
	at := func(url string) config.Address { return address(t, url) }
	rtsp := func(url string) config.RTSPSource { return config.RTSPSource{Address: at(url)} }
	pol, err := policy.Parse("policy.toml", []byte(policytest.Daytime))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		a, b config.Source
		one  bool
	}{
		"the same address":          {config.MJPEGSource{Address: at("http://10.0.0.9/s")}, config.MJPEGSource{Address: at("http://10.0.0.9/s")}, true},
		"the usual port":            {config.MJPEGSource{Address: at("http://10.0.0.9/s")}, config.MJPEGSource{Address: at("http://10.0.0.9:80/s")}, true},
		"upper case":                {config.MJPEGSource{Address: at("http://camera.local/s")}, config.MJPEGSource{Address: at("http://CAMERA.local/s")}, true},
		"a slash and a query":       {config.MJPEGSource{Address: at("http://10.0.0.9/s")}, config.MJPEGSource{Address: at("http://10.0.0.9/s/?fps=5")}, true},
		"the same over UDP":         {config.RTSPSource{Address: at("rtsp://10.0.0.9/a")}, config.RTSPSource{Address: at("rtsp://10.0.0.9:554/a"), UDP: true}, true},
		"once polled":               {config.MJPEGSource{Address: at("http://10.0.0.9/s")}, config.SnapshotSource{Address: at("http://10.0.0.9/s")}, true},
		"a link":                    {config.DeviceSource{Path: device}, config.DeviceSource{Path: link}, true},
		"a recording":               {config.RecordingSource{Path: device}, config.RecordingSource{Path: dir + "/./video0"}, true},
		"the same connector":        {config.CSISource{Number: 1}, config.CSISource{Number: 1, Rate: 5}, true},
		"the same command":          {config.CommandSource{Words: []string{"/bin/cat", "x"}}, config.CommandSource{Words: []string{"/bin/cat", "x"}}, true},
		"an address of its own":     {rtsp("rtsp://localhost:8554/north"), rtsp("rtsp://127.0.0.1:8554/north"), true},
		"all of its own addresses":  {rtsp("rtsp://[::1]:8554/north"), rtsp("rtsp://127.1.2.3:8554/north"), true},
		"a name of its own":         {rtsp("rtsp://a.localhost:8554/north"), rtsp("rtsp://0.0.0.0:8554/north"), true},
		"punycode":                  {config.MJPEGSource{Address: at("http://kärb.example.org/s")}, config.MJPEGSource{Address: at("http://xn--krb-qla.example.org/s")}, true},
		"IPv4 in IPv6":              {config.MJPEGSource{Address: at("http://[64:ff9b::10.0.0.9]/s")}, config.MJPEGSource{Address: at("http://[::ffff:10.0.0.9]/s")}, true},
		"another interface":         {config.MJPEGSource{Address: at("http://[fe80::1%25eth0]/s")}, config.MJPEGSource{Address: at("http://[fe80::1%25eth1]/s")}, false},
		"another address":           {config.MJPEGSource{Address: at("http://10.0.0.9/s")}, config.MJPEGSource{Address: at("http://10.0.0.10/s")}, false},
		"another path":              {config.RTSPSource{Address: at("rtsp://10.0.0.9/ch1")}, config.RTSPSource{Address: at("rtsp://10.0.0.9/ch2")}, false},
		"another channel":           {config.RTSPSource{Address: at("rtsp://10.0.0.9/a?channel=1")}, config.RTSPSource{Address: at("rtsp://10.0.0.9/a?channel=2")}, false},
		"main and second stream":    {rtsp("rtsp://10.0.0.9/Streaming/Channels/101"), rtsp("rtsp://10.0.0.9/Streaming/Channels/102"), true},
		"another camera of it":      {rtsp("rtsp://10.0.0.9/Streaming/Channels/101"), rtsp("rtsp://10.0.0.9/Streaming/Channels/201"), false},
		"a stream and its pictures": {rtsp("rtsp://10.0.0.9/Streaming/Channels/102"), config.SnapshotSource{Address: at("http://10.0.0.9/ISAPI/Streaming/channels/101/picture")}, true},
		"RTSP and HTTP of one":      {rtsp("rtsp://10.0.0.9/axis-media/media.amp"), config.MJPEGSource{Address: at("https://10.0.0.9/axis-cgi/mjpg/video.cgi?fps=5")}, true},
		"two lenses of one":         {rtsp("rtsp://10.0.0.9/axis-media/media.amp?camera=1"), rtsp("rtsp://10.0.0.9/axis-media/media.amp?camera=2"), false},
		"subtype":                   {rtsp("rtsp://10.0.0.9/cam/realmonitor?channel=1&subtype=0"), rtsp("rtsp://10.0.0.9/cam/realmonitor?channel=1&subtype=1"), true},
		"stream1, stream2":          {rtsp("rtsp://10.0.0.9/stream1"), rtsp("rtsp://10.0.0.9/stream2"), true},
		"preview":                   {rtsp("rtsp://10.0.0.9/h264Preview_01_main"), rtsp("rtsp://10.0.0.9/Preview_01_sub"), true},
		"words of quality":          {rtsp("rtsp://relay:8554/north-main"), rtsp("rtsp://relay:8554/north-sub"), true},
		"a relay's cameras":         {rtsp("rtsp://relay:8554/north"), rtsp("rtsp://relay:8554/south"), false},
		"behind a router":           {rtsp("rtsp://10.0.0.9:5541/stream1"), rtsp("rtsp://10.0.0.9:5542/stream1"), false},
		"made-up streets":           {config.SceneSource{Words: "calm"}, config.SceneSource{Words: "calm"}, false},
	} {
		site := &config.Site{}
		for i, source := range []config.Source{c.a, c.b} {
			site.Cameras = append(site.Cameras, config.Camera{
				Name: fmt.Sprintf("cam-%d", i), Source: source,
				Lines: []config.Line{{Line: counting.Line{ID: fmt.Sprintf("line-%d", i)}, Classes: []counting.Class{counting.Person}}},
			})
		}
		names := site.SensorNames()
		var streams []policy.Stream
		for i, camera := range site.Cameras {
			for _, st := range camera.Streams() {
				st.Sensor = names[st.Sensor]
				streams = append(streams, policy.Stream{Stream: st, At: fmt.Sprint(i)})
			}
		}
		charges := pol.SensorCharges(streams)
		if one := len(charges) == 1 && charges[0].ExceedsLimit(); one != c.one {
			t.Errorf("%s: charged as %+v", name, charges)
		}
	}
}

// kerb check prints the groups of cameras whose addresses do not tell whether they are one.
func TestCamerasOfOneHostThatMayBeOneAreListed(t *testing.T) {
	site := &config.Site{}
	for name, url := range map[string]string{"a": "rtsp://10.0.0.9/x", "b": "http://10.0.0.9/y", "c": "rtsp://10.0.0.9/stream1", "d": "rtsp://10.0.0.9/stream2", "e": "rtsp://10.0.0.7/x"} {
		site.Cameras = append(site.Cameras, config.Camera{Name: name, Source: config.RTSPSource{Address: address(t, url)}})
	}
	slices.SortFunc(site.Cameras, func(a, b config.Camera) int { return strings.Compare(a.Name, b.Name) })
	if got := fmt.Sprint(site.SharedHosts()); got != "[[a b c]]" {
		t.Error(got)
	}
}

func TestLanesOfOneContactAreOneSensor(t *testing.T) {
	lines := []config.LoopLine{{Name: "a", Chip: "gpiochip0", GPIO: "GPIO5"}, {Name: "b", Chip: "/dev/gpiochip0", GPIO: "GPIO5"}, {Name: "c", Chip: "gpiochip0", GPIO: "GPIO6"}}
	site := &config.Site{Loops: config.Loops{Lines: lines, Lanes: []config.LoopLane{
		{ID: "one", Loops: []string{"a"}}, {ID: "two", Loops: []string{"b"}}, {ID: "three", Loops: []string{"c"}},
	}}}
	names := site.SensorNames()
	if names["loop-two"] != "loop-one" || names["loop-three"] != "loop-three" {
		t.Errorf("%v", names)
	}
}

// The whole way: the two files are refused together, with the place of the second stream.
func TestASiteWithTwinsIsRefused(t *testing.T) {
	dir := t.TempDir()
	text := "[device]\nname = \"pi-1\"\nsite = \"s\"\ntenant = \"t\"\nstate = \"state\"\n[broker]\nurl = \"mqtt://127.0.0.1:1883\"\n"
	for i, url := range []string{"http://10.0.0.9/mjpeg", "http://10.0.0.9:80/mjpeg?fps=5"} {
		text += fmt.Sprintf("[[camera]]\nname = \"cam-%d\"\nsource = %q\n[[camera.line]]\nid = \"line-%d\"\nfrom = [0.1, 0.5]\nto = [0.9, 0.5]\nclasses = [\"person\"]\n", i, url, i)
	}
	path := filepath.Join(dir, "site.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	site, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	pol, err := policy.Parse("policy.toml", []byte(policytest.Daytime))
	if err != nil {
		t.Fatal(err)
	}
	if told := fmt.Sprint(pol.CheckSite(SiteRequests(site))); !strings.Contains(told, "sensor cam-0: a person can be counted in 2 streams (line-0, line-1)") {
		t.Error(told)
	}
}
