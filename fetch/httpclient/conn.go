package httpclient

import (
	"bytes"
	"net"
	"sync"
)

// A Conn is a connection that remembers how the other side began to speak, which
// tells what it speaks where an error does not.
type Conn struct {
	net.Conn
	mu    sync.Mutex
	first []byte
	err   error
}

// firstBytes is how much is remembered: the header of a frame of HTTP/2.
const firstBytes = 9

func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if room := firstBytes - len(c.first); room > 0 {
		c.first = append(c.first, p[:min(n, room)]...)
	}
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// First is what came first, up to nine bytes, nil if nothing came.
func (c *Conn) First() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.first)
}

// Err is why reading ended, nil if it has not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// SpeaksHTTP tells whether what came first begins an answer of HTTP/1.
func (c *Conn) SpeaksHTTP() bool {
	const start = "HTTP/"
	first := c.First()
	n := min(len(first), len(start))
	return n > 0 && string(first[:n]) == start[:n]
}
