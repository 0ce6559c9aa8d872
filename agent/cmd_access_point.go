package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"kerb/agent/accesspoint"
	"kerb/agent/cage"
)

// accessPointCmd is kerb access-point: the process that opens an access point for one
// session of kerb aim. It has CAP_NET_ADMIN and neither a picture nor a file of kerb's.
// kerb-access-point.socket starts it.
type accessPointCmd struct {
	Hostapd string `help:"The program hostapd." default:"/usr/sbin/hostapd"`
}

// Run restricts this process and serves the connection on standard input until its end.
func (a *accessPointCmd) Run(ctx context.Context) error {
	conn, err := net.FileConn(os.Stdin)
	if err != nil {
		return fmt.Errorf("standard input must be a socket: kerb-access-point.socket starts this command: %w", err)
	}
	if _, err := cage.RestrictAccessPoint(); err != nil {
		return err
	}
	return accesspoint.Serve(ctx, conn, a.Hostapd)
}
