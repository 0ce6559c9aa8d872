package loop_test

import (
	"strings"
	"testing"

	"kerb/drivers/loop"
)

// The chips of a Raspberry Pi 5, of which the first was gpiochip4 and is now
// gpiochip0, and a USB expander.
var pi5 = []loop.FoundLine{
	{Chip: "gpio-brcmstb@107d508500", Path: "/dev/gpiochip10", Offset: 0, Name: "2712_WAKE"},
	{Chip: "gpio-brcmstb@107d517c00", Path: "/dev/gpiochip12", Offset: 3, Name: "2712_WAKE"},
	{Chip: "pinctrl-rp1", Path: "/dev/gpiochip0", Offset: 17, Name: "GPIO17"},
	{Chip: "pinctrl-rp1", Path: "/dev/gpiochip0", Offset: 27, Name: "GPIO27"},
	{Chip: "mcp2221_gpio", Path: "/dev/gpiochip13", Offset: 1, Name: "GPIO17"},
	{Chip: "mcp2221_gpio", Path: "/dev/gpiochip13", Offset: 2, Name: "IN2"},
}

func TestLineIsFoundByLabelAndName(t *testing.T) {
	for _, c := range []struct {
		line loop.Line
		path string // or an error
	}{
		{loop.Line{Chip: "pinctrl-rp1", Name: "GPIO27"}, "/dev/gpiochip0"},
		{loop.Line{Chip: "mcp2221_gpio", Name: "GPIO17"}, "/dev/gpiochip13"},
		{loop.Line{Name: "GPIO17"}, "/dev/gpiochip0"}, // the board's own
		{loop.Line{Name: "IN2"}, "/dev/gpiochip13"},
		{loop.Line{Name: "2712_WAKE"}, "line 2712_WAKE is on several chips: name one of gpio-brcmstb@107d508500, gpio-brcmstb@107d517c00"},
		{loop.Line{Chip: "pinctrl-bcm2711", Name: "GPIO17"}, "no gpio chip pinctrl-bcm2711: there are gpio-brcmstb@107d508500"},
		{loop.Line{Chip: "pinctrl-rp1", Name: "GPIO99"}, "gpio chip pinctrl-rp1 has no line GPIO99"},
		{loop.Line{Name: "GPIO99"}, "no gpio line GPIO99 on any of 4 chips"},
	} {
		found, err := loop.FindLines(pi5, []loop.Line{c.line})
		switch {
		case err != nil && !strings.HasPrefix(err.Error(), c.path):
			t.Errorf("%+v: %v, want %s", c.line, err, c.path)
		case err == nil && found[0].Path != c.path:
			t.Errorf("%+v: found %+v, want %s", c.line, found[0], c.path)
		}
	}
	if _, err := loop.FindLines(pi5, []loop.Line{{Name: "GPIO17"}, {Chip: "pinctrl-rp1", Name: "GPIO17"}}); err == nil || !strings.Contains(err.Error(), "named twice") {
		t.Errorf("the same line twice: %v", err)
	}
}
