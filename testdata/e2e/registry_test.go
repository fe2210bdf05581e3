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
	"sync/atomic"
	"testing"
	"time"
)

// A registry takes images, and can be slow in it.
type registry struct {
	address string
	delay   atomic.Int64 // nanoseconds that each layer takes to be put
}

// startRegistry starts a registry behind a proxy that can delay what goes through.
func (s *stack) startRegistry(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.registry = &registry{address: l.Addr().String()}
	_, port, _ := net.SplitHostPort(freeAddress(t))
	s.daemon(t, nil, filepath.Join(install(t, registryTool), "registry"), "-port", port)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "localhost:" + port})
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of builds that were cancelled
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodPut && strings.Contains(q.URL.Path, "/blobs/") {
			select {
			case <-time.After(time.Duration(s.registry.delay.Load())):
			case <-q.Context().Done():
			}
		}
		proxy.ServeHTTP(w, q)
	})}
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
