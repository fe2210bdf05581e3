// Package postgres runs the tests of stores, and the program, against a real PostgreSQL
// server: one of the system's programs, or of Docker's.
package postgres

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// What logs in as the owner of the database. Neither may stand in anything that is
// written.
const (
	ownerName     = "history_owner"
	ownerPassword = "0wn3r:pass/w@rd"
)

// A server is one that is there for the length of the tests. Its folder has the
// certificate that signed its own, ca.pem.
type server struct {
	dir, port string
	start     func() error
	kill      func() error // at once, as a machine that loses its power
}

var (
	it      *server
	program string // buildregress
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "buildregress-postgres-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "buildregress")
	if out, err := exec.Command("go", "build", "-o", program, "../..").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	if it, err = newServer(dir); err != nil {
		return 0, err
	}
	if err := it.start(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, it.kill()) }()
	return m.Run(), nil
}

func newServer(dir string) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err := errors.Join(err, listener.Close()); err != nil {
		return nil, err
	}
	s := &server{dir: dir, port: port}
	if err := s.certify(); err != nil {
		return nil, err
	}
	if folder := programs(); folder != "" {
		return s, s.local(folder)
	}
	s.docker()
	return s, nil
}

// programs is the folder of the newest PostgreSQL of the system, "" for none.
func programs() string {
	if path, err := exec.LookPath("pg_ctl"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl") // of Debian
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.Max(found))
}

// local makes a database with the programs in a folder. PostgreSQL does not run as root.
func (s *server) local(folder string) error {
	data := filepath.Join(s.dir, "data")
	command := func(name string, args ...string) error {
		c := exec.Command(filepath.Join(folder, name), args...)
		c.Dir = s.dir
		if os.Getuid() == 0 {
			c = exec.Command("runuser", append([]string{"-u", "postgres", "--", c.Path}, args...)...)
			c.Dir = s.dir
		}
		// What it starts keeps its output, which would be waited for.
		log, err := os.Create(filepath.Join(s.dir, name+".out"))
		if err != nil {
			return err
		}
		defer log.Close()
		c.Stdout, c.Stderr = log, log
		if err := c.Run(); err != nil {
			out, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%s: %w: %s", name, err, out)
		}
		return nil
	}
	if os.Getuid() == 0 {
		if out, err := exec.Command("chown", "-R", "postgres", s.dir).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	if err := os.Chmod(s.dir, 0o711); err != nil {
		return err
	}
	if err := command("initdb", "-D", data, "-A", "scram-sha-256", "-U", ownerName, "--pwfile="+filepath.Join(s.dir, "password"), "-E", "UTF8", "--locale=C"); err != nil {
		return err
	}
	options := fmt.Sprintf("-p %s -k %s -c listen_addresses=127.0.0.1 -c max_connections=60 -c ssl=on -c ssl_cert_file=%[2]s/server.pem -c ssl_key_file=%[2]s/server.key", s.port, s.dir)
	s.start = func() error {
		return command("pg_ctl", "-D", data, "-o", options, "-l", filepath.Join(s.dir, "log"), "-w", "-t", "120", "start")
	}
	s.kill = func() error { return command("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop") }
	return nil
}

// docker is one of Docker's official image.
func (s *server) docker() {
	name := "buildregress-postgres-" + s.port
	command := func(args ...string) error {
		if out, err := exec.Command("docker", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("docker %s: %w: %s", args[0], err, out)
		}
		return nil
	}
	made := false
	s.start = func() error {
		err := error(nil)
		if made {
			err = command("start", name)
		} else {
			made = true
			// It reads no key that another can read: it gets its own.
			err = command("run", "-d", "--name", name, "-p", "127.0.0.1:"+s.port+":5432", "-v", s.dir+":/given:ro",
				"-e", "POSTGRES_USER="+ownerName, "-e", "POSTGRES_PASSWORD="+ownerPassword, "-e", "POSTGRES_DB=postgres",
				"--entrypoint", "sh", "postgres:17", "-c",
				"install -o postgres -m 600 /given/server.key /given/server.pem /var/lib/postgresql/ && exec docker-entrypoint.sh postgres -c max_connections=60 -c ssl=on -c ssl_cert_file=/var/lib/postgresql/server.pem -c ssl_key_file=/var/lib/postgresql/server.key")
		}
		if err != nil {
			return err
		}
		// While it makes its database it is there, too, but not for the network.
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		db, err := sql.Open("pgx", s.address("postgres"))
		if err != nil {
			return err
		}
		defer db.Close()
		for {
			if err := db.PingContext(ctx); err == nil || ctx.Err() != nil {
				return err
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
	s.kill = func() error { return command("kill", name) }
}

// certify makes what the server shows, and what signed that.
func (s *server) certify() error {
	write := func(name, kind string, der []byte) error {
		return os.WriteFile(filepath.Join(s.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests"}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), KeyUsage: x509.KeyUsageCertSign,
	}
	shown := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotAfter: authority.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for _, made := range []struct {
		name     string
		template *x509.Certificate
		public   *ecdsa.PublicKey
	}{{"ca.pem", authority, &signer.PublicKey}, {"server.pem", shown, &key.PublicKey}} {
		der, err := x509.CreateCertificate(rand.Reader, made.template, authority, made.public, signer)
		if err == nil {
			err = write(made.name, "CERTIFICATE", der)
		}
		if err != nil {
			return err
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(write("server.key", "PRIVATE KEY", der), os.WriteFile(filepath.Join(s.dir, "password"), []byte(ownerPassword), 0o600))
}

// address is that of a database, for its owner.
func (s *server) address(database string) string {
	return "postgres://" + ownerName + ":" + strings.NewReplacer("/", "%2F", "@", "%40", ":", "%3A").Replace(ownerPassword) + "@127.0.0.1:" + s.port + "/" + database
}

// database makes an empty one for the length of a test.
func database(t *testing.T) (name string) {
	t.Helper()
	name = "d" + strings.ToLower(strings.NewReplacer("/", "_").Replace(t.Name()))
	exec := func(statement string) {
		t.Helper()
		db := admin(t, "postgres")
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE DATABASE " + name)
	t.Cleanup(func() { exec("DROP DATABASE " + name + " WITH (FORCE)") })
	return name
}

// admin is a database as its owner sees it.
func admin(t *testing.T, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", it.address(database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
