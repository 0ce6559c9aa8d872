package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
)

// CertificateError is an error of kerb's own about a camera's certificate, which
// ExplainTLS leaves as it is.
type CertificateError string

// Error returns the text.
func (e CertificateError) Error() string { return string(e) }

// The words for what a certificate lacks. The library quotes the camera's certificate
// in its own: names, times and issuers.
const (
	unknownAuthority = "x509: certificate signed by unknown authority"
	otherName        = "x509: certificate is not valid for this address"
	notValidNow      = "x509: certificate has expired or is not yet valid"
	unusable         = "x509: certificate cannot be used"
	brokenHandshake  = "tls: the handshake failed"
)

// ExplainTLS returns an error of a TLS handshake with a camera in words that hold no
// byte of what the camera sent. Errors of the network, and of a context, stay as they
// are.
func ExplainTLS(err error) error {
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var network *net.OpError
	own, isOwn := errors.AsType[CertificateError](err)
	text := ""
	switch {
	case isOwn:
		return own
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &alert):
		return err
	case errors.As(err, &record):
		text = "tls: first record does not look like a TLS handshake"
	case isA[x509.UnknownAuthorityError](err):
		text = unknownAuthority
	case isA[x509.HostnameError](err):
		text = otherName
	case isA[x509.CertificateInvalidError](err):
		text = explainInvalid(err)
	case isA[*tls.CertificateVerificationError](err):
		text = unusable
	case errors.As(err, &network):
		return err
	case strings.Contains(err.Error(), "EOF"):
		text = "tls: the camera ends the connection in the handshake"
	default:
		text = brokenHandshake
	}
	return explainedError{text, err}
}

// explainInvalid returns the words for a certificate that is not valid.
func explainInvalid(err error) string {
	e, _ := errors.AsType[x509.CertificateInvalidError](err)
	if e.Reason == x509.Expired {
		return notValidNow
	}
	return unusable
}

// isA reports whether err is, or wraps, an E.
func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// explainedError is an error in other words. It unwraps to the first, so that callers
// can branch on its type; they must not print that.
type explainedError struct {
	text string
	err  error
}

// Error returns the words.
func (e explainedError) Error() string { return e.text }

// Unwrap returns the error of the library.
func (e explainedError) Unwrap() error { return e.err }
