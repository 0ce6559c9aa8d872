// Package accesspoint opens a WPA2 access point for one aiming session at a device without
// a network that a telephone could join. kerb aim asks for it (Open) over a Unix socket;
// kerb access-point, a process of its own with CAP_NET_ADMIN, opens it (Serve). hostapd
// does the cryptography, and this package the address, DHCP and the end.
//
// The access point lives as long as the connection: its interface belongs to a netlink
// socket of kerb access-point (NL80211_ATTR_SOCKET_OWNER), so that the kernel removes it
// when that process ends, however it ends.
//
// It refuses to route: packets of its interface are not forwarded. The request holds a
// name and a country, the answer a passphrase: this process has no picture, no count and
// no file of kerb's.
package accesspoint

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Request is what kerb aim asks for, as one line of JSON.
type Request struct {
	Name    string `json:"name"`    // of the device: the SSID, 1–32 bytes
	Country string `json:"country"` // where it stands, ISO 3166-1 alpha-2: the rules of the radio
	// Passphrase is chosen for a device without a screen, 8–63 characters; "": it is drawn.
	Passphrase string `json:"passphrase,omitempty"`
}

// Network is an open access point as a telephone needs it; the answer to a Request.
type Network struct {
	SSID       string `json:"ssid"`
	Passphrase string `json:"passphrase"` // of WPA2, drawn for this session
}

// answer is a Network, or the reason why there is none, as one line of JSON.
type answer struct {
	Network
	Refused string `json:"refused,omitempty"`
}

// maxLine is the longest line on the connection, in bytes.
const maxLine = 4096

// openTimeout is the longest wait for an answer; hostapd alone may wait 5 s for the rules of a
// country. Chosen by hand, for a slow card.
const openTimeout = 2 * time.Minute

// Open asks kerb access-point at address for an access point: the path of a Unix socket,
// or fd:N for an inherited descriptor. It is open until closer is closed, or this process
// ends. An access point that is refused is an error that says why.
func Open(address string, r Request) (n Network, closer io.Closer, err error) {
	conn, err := dial(address)
	if err != nil {
		return n, nil, fmt.Errorf("access point: %w", err)
	}
	_ = conn.SetDeadline(time.Now().Add(openTimeout))
	var a answer
	if err = writeLine(conn, r); err == nil {
		err = readLine(conn, &a)
	}
	if err == nil && a.Refused != "" {
		err = errors.New(a.Refused)
	}
	if err != nil {
		conn.Close()
		return n, nil, fmt.Errorf("access point: %w", err)
	}
	_ = conn.SetDeadline(time.Time{})
	return a.Network, conn, nil
}

// dial connects to a Unix socket, or takes over an inherited descriptor.
func dial(address string) (net.Conn, error) {
	number, ok := strings.CutPrefix(address, "fd:")
	if !ok {
		return net.Dial("unix", address)
	}
	fd, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("fd:%s: must be the number of a descriptor", number)
	}
	f := os.NewFile(uintptr(fd), "access point")
	defer f.Close()
	return net.FileConn(f)
}

// writeLine writes a value as one line of JSON.
func writeLine(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

// readLine reads one line of JSON of at most maxLine bytes.
func readLine(r io.Reader, v any) error {
	line, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	return json.Unmarshal(line, v)
}

// countryPattern is the form of a country code of ISO 3166-1.
var countryPattern = regexp.MustCompile(`^[A-Z]{2}$`)

// passphrasePattern is the form of a passphrase of WPA2 (IEEE 802.11, J.4.1).
var passphrasePattern = regexp.MustCompile(`^[ -~]{8,63}$`)

// check reports the mistakes of a request. They cannot come from site.toml, which is
// checked before.
func (r Request) check() error {
	if len(r.Name) < 1 || len(r.Name) > 32 {
		return errors.New("the name must be 1–32 bytes")
	}
	if !countryPattern.MatchString(r.Country) {
		return errors.New("the country must be two capital letters")
	}
	if r.Passphrase != "" && !passphrasePattern.MatchString(r.Passphrase) {
		return errors.New("the passphrase must be 8–63 characters of ASCII") // without its value
	}
	return nil
}

// wifiEscapes are the characters with a meaning in the text of QRText.
var wifiEscapes = strings.NewReplacer(`\`, `\\`, `;`, `\;`, `,`, `\,`, `:`, `\:`, `"`, `\"`)

// QRText returns the text of a QR code with which a telephone joins (WIFI:, as ZXing
// introduced it and Android and iOS read it).
func (n Network) QRText() string {
	return fmt.Sprintf("WIFI:T:WPA;S:%s;P:%s;;", wifiEscapes.Replace(n.SSID), wifiEscapes.Replace(n.Passphrase))
}

// modems are the beginnings of the names that Linux gives to interfaces of modems and
// tunnels. A telephone cannot join their network.
var modems = []string{"ww", "ppp", "tun", "tap", "wg"}

// HasNetwork reports whether an interface has a private address of a network that a
// telephone could join: Ethernet or Wi-Fi that is up, with an address that is not
// link-local. A modem that looks like Ethernet, and a wire to a cabinet, count as one.
func HasNetwork() bool {
	all, _ := net.Interfaces() // none: no network
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&(net.FlagLoopback|net.FlagPointToPoint) != 0 || isModem(i.Name) {
			continue
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsPrivate() {
				return true
			}
		}
	}
	return false
}

// isModem reports whether an interface is that of a modem or a tunnel, by its name.
func isModem(name string) bool {
	for _, m := range modems {
		if strings.HasPrefix(name, m) {
			return true
		}
	}
	return false
}
