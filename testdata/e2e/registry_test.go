package e2e

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// A registry takes and gives images, behind a brake.
type registry struct {
	address string
	direct  string // past the brake
	brake
}

// putsLayer tells whether a request puts a layer into a registry.
func putsLayer(q *http.Request) bool {
	return q.Method == http.MethodPut && strings.Contains(q.URL.Path, "/blobs/")
}

// startRegistry starts a registry that is reached at an address.
func (s *stack) startRegistry(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(freeAddress(t))
	s.registry = &registry{address: l.Addr().String(), direct: "localhost:" + port}
	s.daemon(t, nil, filepath.Join(install(t, registryTool), "registry"), "-port", port)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.registry.direct})
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of builds that were cancelled
	server := &http.Server{Handler: s.registry.wrap(proxy)}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	s.await(t, "the registry", func() error {
		response, err := http.Get("http://" + s.registry.address + "/v2/")
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	})
}
