package uplink

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// probeTimeout bounds each connection with which a failure is explained. Chosen by
// hand.
const probeTimeout = 3 * time.Second

// explainFailure adds to the error of a connection that failed before its CONNACK
// what the port answers instead: brokers refuse much by closing without a word. It
// makes up to three short connections to find out, so call it once for a new error.
// Other errors are returned as they are.
func (u *Uplink) explainFailure(ctx context.Context, err error) error {
	if errors.Is(err, ErrRefused) || !isClosedEarly(err) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*probeTimeout)
	defer cancel()
	secure := u.broker.Scheme == "mqtts" || u.broker.Scheme == "wss"
	var why string
	switch scheme := u.broker.Scheme; {
	case !secure && u.answersTLS(ctx):
		why = fmt.Sprintf("this port speaks TLS: broker.url must begin with %ss://", scheme)
	case u.answersConnect(ctx, mqtt311):
		why = map[string]string{
			"mqtt":  "it answers a login without a retained Last Will: " + hintRetain,
			"mqtts": "this port speaks MQTT without TLS: broker.url must name the TLS port, mostly 8883, or begin with mqtt://",
			"ws":    "this port speaks MQTT without a WebSocket: broker.url must begin with mqtt://",
			"wss":   "this port speaks MQTT without TLS and WebSocket: broker.url must begin with mqtt://, or name another port",
		}[scheme]
	case u.answersConnect(ctx, mqtt5):
		why = "it accepts MQTT 5 only, and kerb speaks MQTT 3.1.1"
	case u.answersHTTP(ctx):
		why = "this port speaks HTTP: broker.url must begin with ws:// or wss://, or name the MQTT port"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, why)
}

// isClosedEarly reports whether a connection ended without a word of MQTT, or with
// one that is not MQTT 3.1.1.
func isClosedEarly(err error) bool {
	var record tls.RecordHeaderError
	for _, e := range []error{errClosed, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, packets.ConnErrors[packets.ErrRefusedBadProtocolVersion]} {
		if errors.Is(err, e) {
			return true
		}
	}
	if errors.As(err, &record) {
		return true
	}
	text := err.Error() // paho and the WebSocket library flatten most errors
	for _, part := range []string{"EOF", "reset by peer", "broken pipe", "bad handshake", "malformed", "unknown", "no answer", "closed"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// The CONNECT packets of a client without a name, MQTT 3.1.1 §3.1 and MQTT 5 §3.1.
var (
	mqtt311 = []byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 10, 0, 0}
	mqtt5   = []byte{0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 10, 0, 0, 0}
)

// connack is the first byte of a CONNACK.
const connack = 0x20

// badVersion5 is the reason code "unsupported protocol version" of MQTT 5 §3.2.2.2.
const badVersion5 = 0x84

// answersConnect reports whether the port answers a CONNECT with a CONNACK of the same
// version of MQTT.
func (u *Uplink) answersConnect(ctx context.Context, connect []byte) bool {
	b := u.ask(ctx, connect)
	if len(b) < 4 || b[0] != connack {
		return false
	}
	// A CONNACK of MQTT 3.1.1 has two bytes and a return code of 0–5; that of MQTT 5
	// has properties.
	if bytes.Equal(connect, mqtt311) {
		return b[1] == 2 && b[3] <= 5 && b[3] != packets.ErrRefusedBadProtocolVersion
	}
	return b[1] > 2 && b[3] != badVersion5
}

// answersHTTP reports whether the port answers like a web server.
func (u *Uplink) answersHTTP(ctx context.Context) bool {
	return bytes.HasPrefix(u.ask(ctx, []byte("GET / HTTP/1.1\r\nHost: "+u.broker.Host+"\r\nConnection: close\r\n\r\n")), []byte("HTTP/"))
}

// ask sends bytes to the broker's port, without TLS, and returns the first bytes of
// the answer; none where there is no answer.
func (u *Uplink) ask(ctx context.Context, request []byte) []byte {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	c, err := u.o.Dial(ctx, "tcp", u.broker.Host)
	if err != nil {
		return nil
	}
	defer c.Close()
	if c.SetDeadline(time.Now().Add(probeTimeout)) != nil {
		return nil
	}
	if _, err := c.Write(request); err != nil {
		return nil
	}
	b := make([]byte, 5)
	n, _ := io.ReadAtLeast(c, b, 4)
	return b[:n]
}

// answersTLS reports whether the port answers a TLS handshake, whatever its
// certificate says.
func (u *Uplink) answersTLS(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	c, err := u.dialTLS(ctx, u.broker.Host, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.broker.Hostname()})
	if err == nil {
		c.Close()
		return true
	}
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	return errors.As(err, &certificate) || errors.As(err, &alert) && !strings.Contains(err.Error(), "EOF")
}
