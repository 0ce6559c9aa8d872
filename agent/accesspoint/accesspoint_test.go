package accesspoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"
)

func TestTheTextOfTheCodeEscapesWhatHasAMeaning(t *testing.T) {
	n := Network{SSID: `a;b:c\d"e,f`, Passphrase: "abcdefgh2345"}
	if got, want := n.QRText(), `WIFI:T:WPA;S:a\;b\:c\\d\"e\,f;P:abcdefgh2345;;`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEachSessionHasAPassphraseOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		p := drawPassphrase()
		if len(p) != passphraseLength || strings.Trim(p, "abcdefghijklmnopqrstuvwxyz234567") != "" || seen[p] {
			t.Fatalf("passphrase %q, %d before it", p, len(seen))
		}
		seen[p] = true
	}
}

// A name with a line break must not add a setting, such as an open network.
func TestTheConfigurationHoldsTheNameInHexadecimal(t *testing.T) {
	text := configText(Request{Name: "x\nwpa=0", Country: "FI"}, Network{SSID: "x\nwpa=0", Passphrase: "abcdefgh2345"})
	lines := strings.Split(text, "\n")
	for _, want := range []string{"ssid2=780a7770613d30", "wpa=2", "wpa_key_mgmt=WPA-PSK", "rsn_pairwise=CCMP", "wpa_passphrase=abcdefgh2345", "country_code=FI", "ap_isolate=1"} {
		n := 0
		for _, l := range lines {
			if l == want {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%q is there %d times in\n%s", want, n, text)
		}
	}
	if strings.Count(text, "wpa=") != 1 {
		t.Errorf("two settings of wpa:\n%s", text)
	}
}

// message is one of a telephone with this last byte of its hardware address.
func message(t *testing.T, kind dhcpv4.MessageType, last byte, more ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithMessageType(kind), dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, 0, last})}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// answerTo returns the type of the answer, and the address in it.
func (l *leases) answerTo(t *testing.T, m *dhcpv4.DHCPv4) string {
	t.Helper()
	a, err := l.answer(m)
	if err != nil {
		t.Fatal(err)
	}
	if a == nil {
		return "none"
	}
	if len(a.Router()) > 0 || len(a.DNS()) > 0 {
		t.Errorf("the answer names a router or a name server: %s", a.Summary())
	}
	return fmt.Sprintf("%s %s", a.MessageType(), a.YourIPAddr)
}

func TestEachTelephoneGetsAnAddressAndNoWayOut(t *testing.T) {
	l := &leases{byHardware: map[string]net.IP{}}
	own := dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.ParseIP(Address)))
	other := dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(192, 168, 1, 1)))
	wanting := func(last byte) dhcpv4.Modifier {
		return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(192, 168, 77, last)))
	}
	for _, c := range []struct {
		m    *dhcpv4.DHCPv4
		want string
	}{
		{message(t, dhcpv4.MessageTypeDiscover, 1), "OFFER 192.168.77.10"},
		{message(t, dhcpv4.MessageTypeDiscover, 2), "OFFER 192.168.77.11"},
		{message(t, dhcpv4.MessageTypeRequest, 1, own, wanting(10)), "ACK 192.168.77.10"},
		{message(t, dhcpv4.MessageTypeRequest, 1, dhcpv4.WithClientIP(net.IPv4(192, 168, 77, 10))), "ACK 192.168.77.10"},
		{message(t, dhcpv4.MessageTypeRequest, 2, own, wanting(10)), "NAK 0.0.0.0"},
		{message(t, dhcpv4.MessageTypeRequest, 2, other, wanting(11)), "none"},
		{message(t, dhcpv4.MessageTypeRelease, 1), "none"},
	} {
		if got := l.answerTo(t, c.m); got != c.want {
			t.Errorf("%s: got %s, want %s", c.m.Summary(), got, c.want)
		}
	}
	for last := byte(3); int(last) <= maxLeases; last++ {
		l.answerTo(t, message(t, dhcpv4.MessageTypeDiscover, last))
	}
	if got := l.answerTo(t, message(t, dhcpv4.MessageTypeDiscover, 99)); got != "none" {
		t.Errorf("one telephone more than there are addresses got %s", got)
	}
}

// writeFiles writes files below a new directory.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestARadioThatHasJoinedAWiFiIsLeftAlone(t *testing.T) {
	radios := writeFiles(t, map[string]string{"phy0/index": "0\n", "phy1/index": "7\n"})
	joined := map[string]string{"wlan0/phy80211/name": "phy0\n", "wlan0/operstate": "up\n", "wlan1/phy80211/name": "phy1\n", "wlan1/operstate": "down\n"}
	if n, err := chooseRadio(radios, writeFiles(t, joined)); err != nil || n != 7 {
		t.Errorf("radio %d, %v", n, err)
	}
	joined["wlan1/operstate"] = "up\n"
	if _, err := chooseRadio(radios, writeFiles(t, joined)); err == nil || !strings.Contains(err.Error(), "the telephone joins that one too") {
		t.Errorf("both have joined: %v", err)
	}
	if _, err := chooseRadio(filepath.Join(radios, "none"), radios); !errors.Is(err, errNoRadio) {
		t.Errorf("no radio: %v", err)
	}
}

func TestAModemIsNoNetworkForATelephone(t *testing.T) {
	for name, want := range map[string]bool{"wwan0": true, "ppp0": true, "wg0": true, "eth0": false, "wlan0": false, "enx001": false} {
		if got := isModem(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The request comes over an inherited descriptor, as on the image.
func TestARequestThatIsRefusedSaysWhy(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "server")
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- Serve(t.Context(), conn, "/nowhere/hostapd") }()
	_, _, err = Open(fmt.Sprintf("fd:%d", fds[0]), Request{Name: "pole", Country: "Finland"})
	if err == nil || !strings.Contains(err.Error(), "the country must be two capital letters") {
		t.Errorf("Open: %v", err)
	}
	if err := <-served; err == nil {
		t.Error("Serve returned no error")
	}
	if _, _, err := Open(filepath.Join(t.TempDir(), "none"), Request{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no socket: %v", err)
	}
}

// silentConn is a connection on which no request comes in time.
type silentConn struct{ net.Conn }

func (silentConn) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// On the card image each session has the process of an access point, and asks it for none
// where the device has another network.
func TestASessionThatAsksForNoAccessPointIsNoError(t *testing.T) {
	serve := func(wrap func(net.Conn) net.Conn, request string) error {
		client, server := net.Pipe()
		go func() {
			_, _ = io.WriteString(client, request)
			client.Close()
		}()
		return Serve(t.Context(), wrap(server), "/nowhere/hostapd")
	}
	plain := func(c net.Conn) net.Conn { return c }
	if err := serve(plain, ""); err != nil {
		t.Errorf("a connection that ends: %v", err)
	}
	if err := serve(func(c net.Conn) net.Conn { return silentConn{c} }, ""); err != nil {
		t.Errorf("a silent connection: %v", err)
	}
	if err := serve(plain, "no JSON\n"); err == nil {
		t.Error("a request that is none: Serve returned no error")
	}
}

func TestHostapdIsReadyWhenItSaysSo(t *testing.T) {
	if _, err := startHostapd(t.Context(), "/nowhere/hostapd", "", make(chan error, 1)); err == nil || !strings.Contains(err.Error(), "apt install hostapd") {
		t.Errorf("without hostapd: %v", err)
	}
	enabled := make(chan error, 1)
	readLines(strings.NewReader("kerb-ap: interface state UNINITIALIZED->ENABLED\nkerb-ap: AP-ENABLED \nkerb-ap: AP-DISABLED\n"), enabled)
	if err := <-enabled; err != nil {
		t.Error(err)
	}
	readLines(strings.NewReader("rfkill: WLAN soft blocked\nkerb-ap: AP-DISABLED\n"), enabled)
	if err := <-enabled; err == nil || !strings.Contains(err.Error(), "rfkill: WLAN soft blocked") {
		t.Errorf("a failed start: %v", err)
	}
}
