package jaeger

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"

	"google.golang.org/grpc/credentials"

	"github.com/buildregress/buildregress/fetch/httpclient"
)

// gRPC tells of a connection that fails in the text of a status alone. Its errors
// are seen where they come up: a handshake is credentials' work, also where there
// is none to do, and they may wrap the connection.

// A handshake is what came of the last attempt to speak with the server.
type handshake struct {
	err  error            // of TLS
	conn *httpclient.Conn // what is said in it, nil after an error
}

// observed are credentials that leave note of each handshake.
type observed struct {
	credentials.TransportCredentials
	last *atomic.Pointer[handshake]
}

// ClientHandshake implements credentials.TransportCredentials.
func (o observed) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := o.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		o.last.Store(&handshake{err: err})
		return nil, nil, err
	}
	spoken := &httpclient.Conn{Conn: conn}
	o.last.Store(&handshake{conn: spoken})
	return spoken, info, nil
}

// errNoHTTP2 is the error of a handshake with a server that speaks TLS, and nothing in it
// that gRPC could use.
var errNoHTTP2 = errors.New("the server speaks TLS there, but does not offer HTTP/2 in it, which gRPC needs")

// offersHTTP2 refuses a connection in which no protocol was agreed on (RFC 7301).
func offersHTTP2(state tls.ConnectionState) error {
	if state.NegotiatedProtocol == "" {
		return errNoHTTP2
	}
	return nil
}

// Clone implements credentials.TransportCredentials.
func (o observed) Clone() credentials.TransportCredentials {
	return observed{o.TransportCredentials.Clone(), o.last}
}

// fault is what the handshake, or what followed, tells of the server.
func (h *handshake) fault() httpclient.Fault {
	if h.conn == nil {
		return httpclient.FaultOf(h.err)
	}
	return httpclient.FaultOf(h.conn.Err())
}

// speaksHTTP2 tells whether the server began with a frame of settings, as it must.
func (h *handshake) speaksHTTP2() bool {
	const frameType, settings = 3, 4
	first := h.conn.First()
	return len(first) > frameType && first[frameType] == settings
}
