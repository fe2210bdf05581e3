package httpclient

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"reflect"
)

// A Fault is what is wrong with a connection, where its error tells.
type Fault int

const (
	Unknown    Fault = iota
	Refused          // nobody listens at that port
	NoSuchHost       // the name has no address
	NoTLS            // the server does not speak TLS
	Untrusted        // one side does not trust the other's certificate, or misses it
	NotHTTP          // the server speaks, but not HTTP
)

// ErrNotHTTP is the error of a request to a server that began to say something else.
var ErrNotHTTP = errors.New("the server does not speak HTTP there")

// FaultOf tells what is wrong by the types of errors, which say the same on every
// system and in every release of Go.
func FaultOf(err error) Fault {
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, ErrNotHTTP):
		return NotHTTP
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return NoTLS
	case errors.As(err, new(*tls.CertificateVerificationError)), isCertificateAlert(err):
		return Untrusted
	case errors.As(err, new(*net.DNSError)):
		return NoSuchHost
	case errors.Is(err, errnoRefused):
		return Refused
	}
	return Unknown
}

// isCertificateAlert tells whether the other side ended TLS because of our
// certificate. Its alerts have a type that only crypto/tls knows; their numbers are
// those of RFC 8446, section 6.
func isCertificateAlert(err error) bool {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return false
	}
	alert := reflect.ValueOf(op.Err)
	if alert.Kind() != reflect.Uint8 {
		return false
	}
	switch alert.Uint() {
	case 42, // bad_certificate
		43,  // unsupported_certificate
		44,  // certificate_revoked
		45,  // certificate_expired
		46,  // certificate_unknown
		48,  // unknown_ca
		116: // certificate_required
		return true
	}
	return false
}
