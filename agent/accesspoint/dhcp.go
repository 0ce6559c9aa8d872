package accesspoint

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
)

// The addresses that telephones get: the last byte of the first, and how many.
const (
	firstLease = 10
	maxLeases  = 20
)

// leaseTime is that of the longest session.
const leaseTime = time.Hour

// leases gives each hardware address an address of its own (RFC 2131), for as long as the
// access point is open. It keeps them in memory only.
type leases struct {
	mu         sync.Mutex
	byHardware map[string]net.IP
}

// leaseOf returns the address for a hardware address; nil where none is left.
func (l *leases) leaseOf(hardware string) net.IP {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ip := l.byHardware[hardware]; ip != nil || len(l.byHardware) == maxLeases {
		return ip
	}
	ip := net.ParseIP(Address).To4()
	ip[3] = byte(firstLease + len(l.byHardware))
	l.byHardware[hardware] = ip
	return ip
}

// answer returns the answer to a message of a telephone; nil: none. It names no router and
// no name server: the access point leads to the device alone, and a telephone keeps its
// own way to the internet.
func (l *leases) answer(m *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, error) {
	server := net.ParseIP(Address).To4()
	ip := l.leaseOf(m.ClientHWAddr.String())
	if m.OpCode != dhcpv4.OpcodeBootRequest || ip == nil {
		return nil, nil
	}
	var kind dhcpv4.MessageType
	switch m.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		kind = dhcpv4.MessageTypeOffer
	case dhcpv4.MessageTypeRequest:
		wanted := m.RequestedIPAddress()
		if wanted == nil {
			wanted = m.ClientIPAddr // one that is renewed
		}
		if id := m.ServerIdentifier(); id != nil && !id.Equal(server) {
			return nil, nil
		}
		if kind = dhcpv4.MessageTypeAck; !wanted.Equal(ip) {
			return dhcpv4.NewReplyFromRequest(m, dhcpv4.WithMessageType(dhcpv4.MessageTypeNak), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server)))
		}
	default:
		return nil, nil
	}
	return dhcpv4.NewReplyFromRequest(m, dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(ip), dhcpv4.WithServerIP(server),
		dhcpv4.WithNetmask(net.CIDRMask(maskBits, 32)), dhcpv4.WithLeaseTime(uint32(leaseTime.Seconds())),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server)))
}

// serveDHCP answers DHCP on the interface of the access point until it is closed. failed
// gets the error of a server that ends before.
func serveDHCP(failed chan<- error) (io.Closer, error) {
	l := &leases{byHardware: map[string]net.IP{}}
	s, err := server4.NewServer(interfaceName, &net.UDPAddr{Port: dhcpv4.ServerPort}, func(c net.PacketConn, peer net.Addr, m *dhcpv4.DHCPv4) {
		if reply, err := l.answer(m); err == nil && reply != nil {
			_, _ = c.WriteTo(reply.ToBytes(), peer) // a lost one is asked for again
		}
	})
	if err != nil {
		return nil, fmt.Errorf("DHCP: %w", err)
	}
	go func() {
		if err := s.Serve(); err != nil {
			select {
			case failed <- fmt.Errorf("DHCP: %w", err):
			default: // closed, and not read any more
			}
		}
	}()
	return s, nil
}
