package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"strings"

	"github.com/pion/mdns/v2"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv4"
)

// answerName answers questions for NAME.local by multicast DNS (RFC 6762) until the
// context ends, so that a telephone needs no numeric address.
func answerName(ctx context.Context, name string) error {
	address, err := net.ResolveUDPAddr("udp4", mdns.DefaultAddressIPv4)
	if err != nil {
		return err
	}
	c, err := net.ListenUDP("udp4", address)
	if err != nil {
		return fmt.Errorf("%s.local is not answered: %w", name, err)
	}
	server, err := mdns.NewServer(ipv4.NewPacketConn(c), nil, mdns.WithLocalNames(name+".local"))
	if err != nil {
		c.Close()
		return fmt.Errorf("%s.local is not answered: %w", name, err)
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}

// linkLocal returns an IPv4 link-local address (RFC 3927) for an Ethernet address. It is
// the same at each start.
func linkLocal(hardware net.HardwareAddr) net.IP {
	sum := sha256.Sum256(hardware)
	return net.IPv4(169, 254, 1+sum[0]%254, sum[1]) // the first and the last 256 are reserved
}

// addLinkLocal gives a link-local address to each Ethernet interface that is up, for a
// laptop at the other end of the cable and no DHCP server.
func addLinkLocal() error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		a := l.Attrs()
		if a.Flags&net.FlagUp == 0 || !strings.HasPrefix(a.Name, "e") || len(a.HardwareAddr) != 6 {
			continue
		}
		ip := &net.IPNet{IP: linkLocal(a.HardwareAddr), Mask: net.CIDRMask(16, 32)}
		if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ip, Scope: int(netlink.SCOPE_LINK)}); err != nil {
			return fmt.Errorf("%s: %w", a.Name, err)
		}
	}
	return nil
}
