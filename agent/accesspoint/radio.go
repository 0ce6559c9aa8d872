package accesspoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// interfaceName is the interface of the access point, beside the one with which a device
// joins a Wi-Fi.
const interfaceName = "kerb-ap"

// Address is that of the device in the network of its access point, whose mask has 24 bits.
const Address = "192.168.77.1"

// maskBits is the length of the network's prefix.
const maskBits = 24

// Where the kernel lists radios and interfaces (sysfs).
const (
	radioDir = "/sys/class/ieee80211"
	netDir   = "/sys/class/net"
)

// errNoRadio has what to do in it: the kernel, not kerb, finds radios.
var errNoRadio = errors.New("this device has no Wi-Fi radio that the kernel knows")

// chooseRadio returns the number of the first radio that has not joined a Wi-Fi: most
// radios have one channel for all that they do.
func chooseRadio(radios, interfaces string) (uint32, error) {
	all, err := os.ReadDir(radios)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	err = errNoRadio
	for _, r := range all {
		if joined := joinedInterface(interfaces, r.Name()); joined != "" {
			err = fmt.Errorf("the radio has joined a Wi-Fi (%s): the telephone joins that one too", joined)
			continue
		}
		text, bad := os.ReadFile(filepath.Join(radios, r.Name(), "index"))
		if bad != nil {
			return 0, bad
		}
		n, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
		return uint32(n), bad
	}
	return 0, err
}

// joinedInterface returns an interface of the radio that is up, which for a station means
// associated (RFC 2863, ifOperStatus); "" for none.
func joinedInterface(interfaces, radio string) string {
	names, _ := filepath.Glob(filepath.Join(interfaces, "*", "phy80211", "name")) // the pattern is right
	for _, path := range names {
		dir := filepath.Dir(filepath.Dir(path))
		name, _ := os.ReadFile(path)
		state, _ := os.ReadFile(filepath.Join(dir, "operstate"))
		if strings.TrimSpace(string(name)) == radio && strings.TrimSpace(string(state)) == "up" {
			return filepath.Base(dir)
		}
	}
	return ""
}

// addInterface adds the interface of the access point to a radio (nl80211,
// NL80211_CMD_NEW_INTERFACE). The kernel removes it when owner is closed, or when this
// process ends.
func addInterface(radio uint32) (owner io.Closer, err error) {
	c, err := genetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("generic netlink: %w", err)
	}
	family, err := c.GetFamily(unix.NL80211_GENL_NAME)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("nl80211: %w", err), c.Close())
	}
	e := netlink.NewAttributeEncoder()
	e.Uint32(unix.NL80211_ATTR_WIPHY, radio)
	e.String(unix.NL80211_ATTR_IFNAME, interfaceName)
	e.Uint32(unix.NL80211_ATTR_IFTYPE, unix.NL80211_IFTYPE_AP)
	e.Flag(unix.NL80211_ATTR_SOCKET_OWNER, true)
	data, err := e.Encode()
	if err == nil {
		m := genetlink.Message{Header: genetlink.Header{Command: unix.NL80211_CMD_NEW_INTERFACE}, Data: data}
		_, err = c.Execute(m, family.ID, netlink.Request|netlink.Acknowledge)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the radio takes no interface for an access point: %w", err), c.Close())
	}
	return c, nil
}

// forbidForwarding forbids the kernel to forward packets that come from the interface, on
// a device that routes for others too, and gives it no IPv6.
func forbidForwarding() error {
	err := os.WriteFile("/proc/sys/net/ipv4/conf/"+interfaceName+"/forwarding", []byte("0"), 0)
	v6 := os.WriteFile("/proc/sys/net/ipv6/conf/"+interfaceName+"/disable_ipv6", []byte("1"), 0)
	if errors.Is(v6, fs.ErrNotExist) { // a kernel without IPv6
		v6 = nil
	}
	return errors.Join(err, v6)
}

// addAddress gives the interface its address (netdevice(7)). An interface that has the
// network already would get the telephone's packets: that is an error.
func addAddress() error {
	network := net.IPNet{IP: net.ParseIP(Address).To4(), Mask: net.CIDRMask(maskBits, 32)}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && (n.Contains(network.IP) || network.Contains(n.IP)) {
			return fmt.Errorf("%s is another network of this device: an access point has no address there", n)
		}
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	for _, set := range []struct {
		request uint
		value   []byte
	}{{unix.SIOCSIFADDR, network.IP}, {unix.SIOCSIFNETMASK, network.Mask}} {
		r, err := unix.NewIfreq(interfaceName)
		if err == nil {
			err = r.SetInet4Addr(set.value)
		}
		if err == nil {
			err = unix.IoctlIfreq(s, set.request, r)
		}
		if err != nil {
			return fmt.Errorf("address of %s: %w", interfaceName, err)
		}
	}
	return nil
}
