package mistake

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

type wait struct{ time.Duration }

func (w *wait) UnmarshalText(b []byte) (err error) {
	if w.Duration, err = time.ParseDuration(string(b)); err != nil {
		return errors.New("must be a duration such as 90s")
	}
	return nil
}

type sample struct {
	Name   string `toml:"name"`
	Camera []struct {
		FPS  int        `toml:"fps"`
		Wait wait       `toml:"wait"`
		From [2]float64 `toml:"from"`
		Line []struct {
			ID string `toml:"id"`
		} `toml:"line"`
	} `toml:"camera"`
	Broker struct {
		URL string `toml:"url"`
		On  bool   `toml:"on"`
	} `toml:"broker"`
}

const text = `name = 7
[broker]
ulr = "x" # a slip
on = "yes"
[[camera]]
fps = 10
wait = "soon"
[[camera.line]]
id = "first"
[[camera.line]]
id = 4
[[camera]]
fps = 2.5
from = [1, 2, 3]
[[camara]]
fps = 1
`

func TestEveryMistakeIsReportedAtOnceWithItsLine(t *testing.T) {
	var got sample
	s := DecodeTOML("site.toml", []byte(text), &got)
	s.Reject("camera[0].fps", "must be 1–9", "leave it out for 5")
	s.Reject("camera[1].wait", "is missing", "")
	want := `site.toml:1: name = 7: must be text in quotes
site.toml:3: broker.ulr: no such key
hint: did you mean url?
site.toml:4: broker.on = "yes": must be true or false
hint: without quotes
site.toml:6: camera[0].fps = 10: must be 1–9
hint: leave it out for 5
site.toml:7: camera[0].wait = "soon": must be a duration such as 90s
site.toml:11: camera[0].line[1].id = 4: must be text in quotes
site.toml:12: camera[1].wait: is missing
site.toml:13: camera[1].fps = 2.5: must be a whole number
site.toml:14: camera[1].from = [1, 2, 3]: must have 2 members
site.toml:15: camara: no such key
hint: did you mean camera?`
	if err := s.Err(); err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	if got.Camera[0].Line[0].ID != "first" {
		t.Error("what is right in a wrong file must still be read")
	}
}

func TestASyntaxErrorHasItsLine(t *testing.T) {
	s := DecodeTOML("f", []byte("a = 1\nb = = 2\n"), &struct{}{})
	if err := s.Err(); err == nil || !strings.HasPrefix(err.Error(), "f:2: ") {
		t.Errorf("got %v", err)
	}
}

func TestASoundFileHasNoMistake(t *testing.T) {
	var got sample
	s := DecodeTOML("f", []byte("broker = { url = \"u\", on = true }\ncamera = [{fps = 3, wait = \"2s\"}]\n"), &got)
	if err := s.Err(); err != nil || got.Broker.URL != "u" || got.Camera[0].Wait.Duration != 2*time.Second {
		t.Errorf("%v %+v", err, got)
	}
	if !s.HasKey("broker.url") || s.Locate("broker.url") != "f:1" {
		t.Errorf("place of an inline key: %s", s.Locate("broker.url"))
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(text))
	f.Add([]byte("a.b.c = {d = [[1], {e = 2}]}\n[[x.y]]\n[x.y.z]\nq=1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got sample
		s := DecodeTOML("f", data, &got)
		s.Reject("camera[0].line[0].id", "w", "h")
		_ = fmt.Sprint(s.Err())
	})
}

func TestAByteOrderMarkIsCalledThat(t *testing.T) {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		var into sample
		err := DecodeTOML("site.toml", []byte(mark+"name = \"x\"\r\n"), &into).Err()
		if err == nil || !strings.Contains(err.Error(), "site.toml:1") || !strings.Contains(err.Error(), "byte order mark") {
			t.Errorf("%q: %v", mark, err)
		}
	}
	var into sample
	if err := DecodeTOML("site.toml", []byte("name = \"x\"\r\n"), &into).Err(); err != nil {
		t.Errorf("lines that end as those of Windows do: %v", err)
	}
}
