package config

import (
	"strings"
	"testing"

	"kerb/counting"
)

const loopsOnly = `
[device]
name = "cab-7"
site = "a40"
tenant = "london"
[broker]
url = "mqtt://127.0.0.1:1883"
[loop]
source = "gpio"
[[loop.line]]
name = "L1A"
gpio = "GPIO17"
[[loop.line]]
name = "L1B"
gpio = "GPIO27"
[[loop.lane]]
id = "a40-east-1"
loops = ["L1A", "L1B"]
spacing = 4.0
loop_length = 2.0
split = true
`

func TestADeviceWithoutCamerasCountsOverLoops(t *testing.T) {
	s, err := Parse("site.toml", []byte(loopsOnly))
	if err != nil {
		t.Fatal(err)
	}
	st := s.Streams()
	if len(st) != 1 || st[0].Kind != counting.LoopStream || len(st[0].Classes) != 3 || s.Loops.Lines[0].Bias != "up" {
		t.Errorf("%+v %+v", st, s.Loops)
	}
}

// The quantities of a stream follow from its loops and cards alone.
func TestWhatALaneMeasures(t *testing.T) {
	pulse := strings.ReplaceAll(loopsOnly, "split = true", "")
	pulse = strings.Replace(pulse, `name = "L1A"`, "name = \"L1A\"\ncard = \"pulse\"", 1)
	one := strings.Replace(strings.Replace(loopsOnly, `["L1A", "L1B"]`, `["L1A"]`, 1), "split = true", "", 1)
	all := counting.QuantitiesOf(counting.LoopStream)
	for _, c := range []struct {
		name, text string
		without    []counting.Quantity
		estimated  bool
		bins       int
	}{
		{"a pair", strings.Replace(loopsOnly, "split = true", "length_bins = [3, 7, 10, 12]", 1), nil, false, 5},
		{"a pair with a pulse card", pulse, []counting.Quantity{counting.Occupancy, counting.Lengths, counting.Gaps, counting.Congested}, false, 4},
		{"a single loop", one, []counting.Quantity{counting.MeanSpeed, counting.Speeds, counting.Lengths}, false, 4},
		{"a single loop with a mean length", one + "mean_length = 4.4\n", []counting.Quantity{counting.Lengths}, true, 4},
	} {
		s, err := Parse("site.toml", []byte(c.text))
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.name, err, c.text)
		}
		st := s.Streams()[0]
		if want := all &^ counting.NewQuantitySet(c.without...); st.Measures != want || st.Estimated != c.estimated || st.LengthBins.Len() != c.bins {
			t.Errorf("%s: %b, want %b; %+v", c.name, st.Measures, want, st)
		}
	}
}

func TestEachMistakeInLoopsIsNamed(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"a line that is not there", `["L1A", "L1B"]`, `["L1A", "L9"]`, "there is no line L9"},
		{"three loops", `["L1A", "L1B"]`, `["L1A", "L1B", "L1A"]`, "one or two lines"},
		{"no spacing", "spacing = 4.0", "", "spacing: must be 1–50 m"},
		{"no length of a loop", "loop_length = 2.0", "", "loop_length: must be 0.3–30 m"},
		{"a split by one loop", `loops = ["L1A", "L1B"]`, `loops = ["L1A"]`, "must be false for a single loop"},
		{"no pin", `gpio = "GPIO27"`, "", "loop.line[1].gpio: is missing"},
		{"a debounce that spoils speeds", `source = "gpio"`, `debounce = "5ms"`, "must be left out where a lane has two loops"},
		{"bins that fall", "split = true", "length_bins = [6, 5]", "must be 1–15 bounds in m, ascending"},
		{"two kinds of bins", "split = true", "length_bins = [6]\nlengths = \"uk\"", "does not go with lengths"},
		{"an unknown source", `"gpio"`, `"usb"`, "must be one of [gpio street]"},
		{"a doubled name", `name = "L1B"`, `name = "L1A"`, "another line has it"},
		{"no lane", loopsOnly[strings.Index(loopsOnly, "[[loop.lane]]"):], "", "loop.lane: is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(loopsOnly, c.old, c.new, 1)
			if text == loopsOnly {
				t.Fatal("the case changes nothing")
			}
			if _, err := Parse("site.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant … %s …", err, c.want)
			}
		})
	}
}

func TestComparedStreamsMustExist(t *testing.T) {
	good := loopsOnly + "[[loop.line]]\nname = \"L2A\"\ngpio = \"GPIO5\"\n[[loop.lane]]\nid = \"two\"\nloops = [\"L2A\"]\n[[compare]]\na = \"two\"\nb = \"a40-east-1\"\n"
	s, err := Parse("site.toml", []byte(good))
	if err != nil || s.Comparisons[0].Expect != 1 || s.Comparisons[0].Tolerance != 0.25 {
		t.Errorf("%v %+v", err, s)
	}
	_, err = Parse("site.toml", []byte(strings.Replace(good, `a = "two"`, `a = "three"`, 1)))
	if err == nil || !strings.Contains(err.Error(), "must be a stream of this site") {
		t.Error(err)
	}
}
