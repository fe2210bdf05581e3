package httpclient_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/fetch/httpclient"
)

// speaker is a server that says text to whoever connects, before it is asked or
// after, and hangs up.
func speaker(t *testing.T, text string, first bool) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if !first {
				_, _ = conn.Read(make([]byte, 1<<10))
			}
			_, _ = conn.Write([]byte(text))
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestFaultOf(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	answer := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	plain := httptest.NewServer(answer)
	defer plain.Close()
	secure := httptest.NewUnstartedServer(answer)
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	defer secure.Close()
	mutual := httptest.NewUnstartedServer(answer)
	mutual.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	mutual.Config.ErrorLog = quiet
	mutual.StartTLS()
	defer mutual.Close()

	const settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00" // of HTTP/2
	for _, tt := range []struct {
		name, url string
		options   httpclient.Options
		want      httpclient.Fault
	}{
		{"nobody listens", "http://" + nobody.Addr().String(), httpclient.Options{}, httpclient.Refused},
		{"nobody listens, TLS", "https://" + nobody.Addr().String(), httpclient.Options{}, httpclient.Refused},
		{"no such host", "http://no..host", httpclient.Options{}, httpclient.NoSuchHost},
		{"TLS to HTTP", strings.Replace(plain.URL, "http:", "https:", 1), httpclient.Options{}, httpclient.NoTLS},
		{"TLS to another protocol", "https://" + speaker(t, "220 mail.example.com ESMTP\r\n", true), httpclient.Options{}, httpclient.NoTLS},
		{"unknown CA", secure.URL, httpclient.Options{}, httpclient.Untrusted},
		{"another name", secure.URL, httpclient.Options{ServerName: "elsewhere.test", CAFile: caOf(t, secure)}, httpclient.Untrusted},
		{"without our certificate", mutual.URL, httpclient.Options{Insecure: true}, httpclient.Untrusted},
		{"HTTP/2 alone", "http://" + speaker(t, settings, true), httpclient.Options{}, httpclient.NotHTTP},
		{"another protocol", "http://" + speaker(t, "-ERR unknown command\r\n", false), httpclient.Options{}, httpclient.NotHTTP},
		{"hangs up", "http://" + speaker(t, "", false), httpclient.Options{}, httpclient.Unknown},
		{"hangs up in the middle", "http://" + speaker(t, "HTT", false), httpclient.Options{}, httpclient.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			tt.options.Backoff = time.Millisecond
			c, err := httpclient.NewClient(base, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.Get(t.Context(), "/x", nil, "application/json")
			if err == nil {
				a.Close()
				t.Fatal("no error")
			}
			if got := httpclient.FaultOf(err); got != tt.want {
				t.Errorf("%v is fault %d, want %d", err, got, tt.want)
			}
		})
	}
}
