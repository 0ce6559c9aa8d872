package configs

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// The example, the drawing of the pins and the note give each role the same pin: an
// engineer wires by one and types the other.
func TestTheExampleUsesThePinsOfTheDrawing(t *testing.T) {
	drawing := map[string]string{} // role → pin
	for _, m := range regexp.MustCompile(`(GPIO\d+) · ((?:loop|fault relay) \d|status lamp|push button)`).FindAllStringSubmatch(read(t, "../firmware-notes/loops-pins.svg"), -1) {
		drawing[m[2]] = m[1]
	}
	if len(drawing) != 12 {
		t.Fatalf("the drawing has %d roles: %v", len(drawing), drawing)
	}
	example := read(t, "site-loops.toml")
	loops := 0
	for _, m := range regexp.MustCompile(`name = "(\w+)"\s+gpio = "(GPIO\d+)"`).FindAllStringSubmatch(example, -1) {
		role := "fault relay 1"
		if m[1] != "FAULT" {
			loops++
			role = fmt.Sprintf("loop %d", loops)
		}
		if m[2] != drawing[role] {
			t.Errorf("site-loops.toml: %s is on %s, and %s is drawn on %s", m[1], m[2], role, drawing[role])
		}
	}
	if loops != 3 {
		t.Errorf("the example has %d loops", loops)
	}
	lamp := regexp.MustCompile(`\[lamp\]\s*\n# gpio = "(GPIO\d+)"`).FindStringSubmatch(example)
	if lamp == nil || lamp[1] != drawing["status lamp"] {
		t.Errorf("site-loops.toml: the lamp is on %v, drawn on %s", lamp, drawing["status lamp"])
	}
	note := read(t, "../firmware-notes/loops.md")
	want := fmt.Sprintf("Connect %s, 330 Ω, an LED and ground in series.", drawing["status lamp"])
	if !regexp.MustCompile(regexp.QuoteMeta(want)).MatchString(note) {
		t.Errorf("loops.md does not say: %s", want)
	}
	button := drawing["push button"]
	for _, path := range []string{"../firmware-notes/hardware.md", "../firmware-notes/aim.md", "../firmware-notes/systemd/kerb-button.service"} {
		if !regexp.MustCompile(`\b` + button + `\b`).MatchString(read(t, path)) {
			t.Errorf("%s does not name %s for the push button", path, button)
		}
	}
	for i := 1; i <= 8; i++ {
		pin := drawing["loop "+strconv.Itoa(i)]
		if !regexp.MustCompile(`(GPIO|, | and )` + pin[len("GPIO"):] + `\b[^\n]*for loops 1 to 8`).MatchString(note) {
			t.Errorf("loops.md names %s for none of the loops 1 to 8", pin)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
