package accesspoint

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// maxOpen ends an access point whose connection stays open: the longest session (1 h), and
// what comes before and after it.
const maxOpen = 65 * time.Minute

// passphraseLength is that of a passphrase in letters of base32, 5 bits each: 60 bits
// against guessing from a recorded handshake (WPA2: PBKDF2 with 4,096 rounds), and it can
// be typed.
const passphraseLength = 12

// drawPassphrase returns a new random passphrase.
func drawPassphrase() string { return strings.ToLower(rand.Text()[:passphraseLength]) }

// Serve reads a Request from conn, opens the access point with the program hostapd, an
// absolute path, and answers with the Network. It closes the access point when conn ends, ctx ends, hostapd ends
// or after maxOpen, and then returns; an error says why there was none, or why it ended
// early. conn gets the same reason. A connection without a request, because the device has
// another network, is no error.
func Serve(ctx context.Context, conn net.Conn, hostapd string) (err error) {
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(openTimeout))
	var r Request
	err = readLine(conn, &r)
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err != nil {
		return err
	}
	_ = conn.SetReadDeadline(time.Time{})
	ctx, stop := context.WithTimeout(ctx, maxOpen)
	defer stop()
	go func() { // the request is the only line: the read ends with the connection
		defer stop()
		_, _ = io.Copy(io.Discard, conn)
	}()
	n := Network{SSID: r.Name, Passphrase: cmp.Or(r.Passphrase, drawPassphrase())}
	ended, closeAll, err := open(ctx, r, n, hostapd)
	if err != nil {
		return errors.Join(err, writeLine(conn, answer{Refused: err.Error()}))
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	if err := writeLine(conn, answer{Network: n}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return fmt.Errorf("the access point ended: %w", err)
	}
}

// open makes the interface, starts hostapd, gives the interface its address and answers
// DHCP. ended tells when one of them failed; closeAll ends all in reverse order.
func open(ctx context.Context, r Request, n Network, hostapd string) (ended <-chan error, closeAll func() error, err error) {
	var parts []io.Closer
	closeParts := func() (err error) {
		for i := len(parts) - 1; i >= 0; i-- {
			err = errors.Join(err, parts[i].Close())
		}
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeParts())
		}
	}()
	if err := r.check(); err != nil {
		return nil, nil, err
	}
	radio, err := chooseRadio(radioDir, netDir)
	if err != nil {
		return nil, nil, err
	}
	owner, err := addInterface(radio)
	if err != nil {
		return nil, nil, err
	}
	parts = append(parts, owner)
	if err := forbidForwarding(); err != nil {
		return nil, nil, err
	}
	failed := make(chan error, 2)
	h, err := startHostapd(ctx, hostapd, configText(r, n), failed)
	if err != nil {
		return nil, nil, err
	}
	parts = append(parts, h)
	if err := addAddress(); err != nil {
		return nil, nil, err
	}
	d, err := serveDHCP(failed)
	if err != nil {
		return nil, nil, err
	}
	parts = append(parts, d)
	return failed, closeParts, nil
}
