package image

import (
	"os/exec"
	"strings"
	"testing"

	"kerb/test/broker"
)

// A card without a network opens a Wi-Fi of its own for the session that aim.toml asks for.
// The kernel is Debian's, since gokrazy's for a virtual machine has no Wi-Fi; it makes two
// radios, one of them that of a telephone (./telephone), which tells what it sees.
func TestACardWithoutANetworkOpensAnAccessPoint(t *testing.T) {
	dir := imageDir(t)
	if out, err := exec.Command("./radio", dir).CombinedOutput(); err != nil {
		t.Fatalf("radio: %v\n%s", err, out)
	}
	b := broker.New(t)
	files, trust := everyMinuteOf(t, "standard")
	files["site.toml"] = "[access_point]\ncountry = \"FI\"\n" + aimSite(b.Port, trust)
	files["aim.toml"] = "minutes = 6\ncode = \"427 193\"\npassphrase = \"five kerbs by the river\"\n"
	m := newMachine(t, files)
	m.radios = true
	m.start()
	m.until("the Wi-Fi on the screen", patience, func() bool {
		return m.said("AIMING: Wi-Fi pole, passphrase five kerbs by the river")
	})
	for _, step := range []string{
		"has a radio", "sees pole", "was refused with a wrong passphrase", "joined",
		"has address 192.168.77.", "has the page by its address", "has the page by the device's name", "sees it no more",
	} {
		m.until(step, patience, func() bool { return m.said("TELEPHONE: " + step) })
		t.Logf("the telephone %s", step)
	}
	for _, wrong := range []string{"joined with a wrong passphrase", "has the page by another name"} {
		if m.said("TELEPHONE: " + wrong) {
			t.Errorf("the telephone %s", wrong)
		}
	}
	if !m.said("router none dns none") {
		t.Error("the telephone got a router or a name server")
	}
	if !m.said("AIMING: the session is over") {
		t.Errorf("the Wi-Fi ended before the session:\n%s", m.console())
	}
	m.cut()
	if text := string(m.file("kerb/report.txt")); strings.Contains(text, "five kerbs") {
		t.Errorf("report.txt on the card has the passphrase after the session:\n%s", text)
	}
}
