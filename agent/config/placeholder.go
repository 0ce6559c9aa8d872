package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"kerb/agent/mistake"
)

// Placeholders lists the addresses in the file that can belong to no device, because
// they are reserved for examples (RFC 2606, RFC 5737, RFC 3849): values left over
// from the example. They are no mistakes, as the file may be for a test.
func (s *Site) Placeholders() (left mistake.List) {
	add := func(key, address, what string) {
		if isPlaceholder(address) {
			left = append(left, mistake.Mistake{
				File: s.sheet.Name(), Line: s.sheet.KeyLine(key), Key: key, Value: fmt.Sprintf("%q", address),
				Want: "is the example's address, at which nothing answers", Hint: "put the address of your " + what + " there",
			})
		}
	}
	add("broker.url", s.Broker.URL, "broker")
	for i, c := range s.Cameras {
		if c.Source != nil {
			add(fmt.Sprintf("camera[%d].source", i), c.Source.String(), "camera (kerb probe lists those it finds)")
		}
	}
	return left
}

// examplePrefixes are the blocks of addresses for documentation.
var examplePrefixes = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32"),
}

// isPlaceholder reports whether the host of a URL is reserved for examples.
func isPlaceholder(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	for _, name := range []string{"example", "invalid", "example.com", "example.net", "example.org"} {
		if host == name || strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	ip, err := netip.ParseAddr(host)
	for _, p := range examplePrefixes {
		if err == nil && p.Contains(ip) {
			return true
		}
	}
	return false
}
