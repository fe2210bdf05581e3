package postgres

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
)

// The tests of stores hold for this server, too.
func TestStore(t *testing.T) {
	c := exec.Command("go", "test", "-count=1", "-run=/postgres", "../../fetch/store")
	c.Env = append(os.Environ(), "STORE_TEST_POSTGRES="+it.address(database(t)))
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// buildsFile writes builds of one pipeline, of which the steps take 10 s each but for a
// last one that is slow.
func buildsFile(t *testing.T, name, pipeline string, first, count int) (path string) {
	t.Helper()
	var list []timeline.Build
	for i := range count {
		n := first + i
		b := timeline.Build{
			ID: fmt.Sprintf("%s-%d", pipeline, n), Pipeline: pipeline, Origin: timeline.Origin{Branch: "main", Revision: fmt.Sprintf("%040x", n)},
			Start: begin.Add(time.Duration(n) * time.Minute), Duration: time.Minute,
		}
		for k := range 6 {
			b.Steps = append(b.Steps, timeline.Step{
				Key: fmt.Sprintf("[build] RUN make part%d", k), Name: fmt.Sprintf("[build %d/6] RUN make part%d", k+1, k), Stage: "build", Index: k + 1, Count: 6,
				Start: b.Start.Add(time.Duration(k) * 10 * time.Second), Duration: 10*time.Second + time.Duration((n*7+k)%13)*20*time.Millisecond,
			})
		}
		list = append(list, b)
	}
	path = filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(builds.Encode(f, list), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// A result is what a run of the program left.
type result struct {
	stdout, stderr string
	code           int
}

// command is a run of the program, which knows nothing but what it is given.
func command(t *testing.T, environment []string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(program, args...)
	c.Dir = t.TempDir()
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir}, environment...)
	return c
}

func buildregress(t *testing.T, environment []string, args ...string) (r result) {
	t.Helper()
	c := command(t, environment, args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r = result{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
	r.isSilent(t)
	return r
}

// isSilent checks that a run told nothing of the login.
func (r *result) isSilent(t *testing.T) {
	t.Helper()
	for _, secret := range []string{ownerPassword, strings.ReplaceAll(ownerPassword, "/", "%2F"), "w%40rd", "0wn3r", ownerName} {
		if strings.Contains(r.stdout+r.stderr, secret) {
			t.Errorf("%q is told:\n%s%s", secret, r.stdout, r.stderr)
		}
	}
}

// want checks how a run ended and what it said.
func (r *result) want(t *testing.T, code int, said ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d:\n%s%s", r.code, code, r.stdout, r.stderr)
	}
	for _, text := range said {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("it does not say %q:\n%s%s", text, r.stdout, r.stderr)
		}
	}
}

// without is an address of a database that says no login.
func without(database string) string { return "postgres://127.0.0.1:" + it.port + "/" + database }

var login = []string{"PGUSER=" + ownerName, "PGPASSWORD=" + ownerPassword}

// Of 32 that record at once, into a database that none of them has used yet, none loses a
// build, and what two record is one.
func TestWritersAtOnce(t *testing.T) {
	db := database(t)
	const writers, each = 32, 20
	var all sync.WaitGroup
	results := make([]result, writers)
	for i := range writers {
		// Every other one records the builds of the one before it.
		file := buildsFile(t, "b.jsonl", fmt.Sprintf("p%d", i/2%4), i/2*each, each)
		all.Go(func() { results[i] = buildregress(t, login, "record", "--store", without(db), file) })
	}
	all.Wait()
	for i := range results {
		results[i].want(t, 0, "20 builds read")
	}
	var stored, steps, keys int
	if err := admin(t, db).QueryRow("SELECT (SELECT count(*) FROM buildregress.builds), (SELECT count(*) FROM buildregress.steps), (SELECT count(*) FROM buildregress.keys)").Scan(&stored, &steps, &keys); err != nil {
		t.Fatal(err)
	}
	if want := writers / 2 * each; stored != want || steps != 6*want || keys != 6 {
		t.Errorf("%d builds with %d steps of %d keys, want %d, %d, 6", stored, steps, keys, want, 6*want)
	}
}

// A server that dies in the midst of a fill keeps what was said to be in; the same command
// goes on.
func TestServerDies(t *testing.T) {
	db := database(t)
	file := buildsFile(t, "b.jsonl", "p", 0, 20_000)
	c := command(t, login, "record", "--store", without(db), "--verbose", file)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	owner := admin(t, db)
	stored := func() (n int) {
		_ = owner.QueryRow("SELECT count(*) FROM buildregress.builds").Scan(&n) // there may be none yet
		return n
	}
	for stored() < 1000 && t.Context().Err() == nil {
	}
	if err := it.kill(); err != nil {
		t.Fatal(err)
	}
	err := c.Wait()
	if err := it.start(); err != nil {
		t.Fatal(err)
	}
	r := result{"", stderr.String(), c.ProcessState.ExitCode()}
	r.isSilent(t)
	r.want(t, 3, "went away", "goes on with the rest")
	var told int
	scan := bufio.NewScanner(&stderr)
	for scan.Scan() {
		if _, text, ok := strings.Cut(scan.Text(), "stopped: "); ok {
			_, _ = fmt.Sscanf(strings.ReplaceAll(text, ",", ""), "%d builds", &told)
		}
	}
	// The connection that counted went away with the server.
	counted := func() (n int) {
		for {
			err := owner.QueryRow("SELECT count(*) FROM buildregress.builds").Scan(&n)
			if err == nil {
				return n
			}
			if t.Context().Err() != nil {
				t.Fatal(err)
			}
		}
	}
	if n := counted(); err == nil || told < 1000 || n < told || n > told+200 {
		t.Errorf("%d builds are told to be in, and %d are: %v\n%s", told, n, err, r.stderr)
	}
	second := buildregress(t, login, "record", "--store", without(db), file)
	second.want(t, 0, "20000 builds read")
	if n := counted(); n != 20_000 {
		t.Errorf("%d builds", n)
	}
}

// Who interrupts a fill is told how much is in, and can go on.
func TestInterrupted(t *testing.T) {
	db := database(t)
	file := buildsFile(t, "b.jsonl", "p", 0, 10_000)
	owner := admin(t, db)
	stored := func() (n int) {
		_ = owner.QueryRow("SELECT count(*) FROM buildregress.builds").Scan(&n) // there may be none yet
		return n
	}
	c := command(t, login, "record", "--timeout", "0", "--store", without(db), file)
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for stored() < 1000 && t.Context().Err() == nil {
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // the exit code tells
	first := stored()
	r := result{output.String(), "", c.ProcessState.ExitCode()}
	r.want(t, 3, fmt.Sprintf("stopped: %d builds of them are in %s, and the same command goes on with the rest", first, without(db)), "error: interrupted")
	if first < 1000 || first >= 10_000 {
		t.Errorf("%d builds are in", first)
	}
	second := buildregress(t, login, "record", "--timeout", "0", "--store", without(db), file)
	second.want(t, 0, fmt.Sprintf("10000 builds read, %d new", 10_000-first))
}

// A role that may only read is enough for a baseline, and who may do less is told so.
func TestReadOnlyRole(t *testing.T) {
	db := database(t)
	store := without(db)
	file := buildsFile(t, "b.jsonl", "p", 0, 30)
	first := buildregress(t, login, "record", "--store", store, file)
	first.want(t, 0)
	owner := admin(t, db)
	reader := []string{"PGUSER=reader", "PGPASSWORD=readerpassword"}
	do := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := owner.Exec(s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	do("CREATE ROLE reader LOGIN PASSWORD 'readerpassword'")
	t.Cleanup(func() { do("DROP OWNED BY reader", "DROP ROLE reader") })
	check := func() result {
		return buildregress(t, reader, "check", "--baseline", store, "--store", "sqlite:own.db", "--build", "q-100", buildsFile(t, "new.jsonl", "q", 100, 1), "--pipeline", "p")
	}
	refused := check()
	refused.want(t, 3, "may not use the schema", "error")
	do("GRANT USAGE ON SCHEMA buildregress TO reader")
	refused = check()
	refused.want(t, 3, "the role may not do that", "hint")
	do("GRANT SELECT ON ALL TABLES IN SCHEMA buildregress TO reader")
	good := check()
	good.want(t, 0, "compared with 30 builds of `main` from", store)
	writing := buildregress(t, reader, "record", "--store", store, buildsFile(t, "more.jsonl", "p", 50, 1))
	writing.want(t, 3, "the role may not do that")
}

// TLS is as the address says, and a server that cannot be trusted gets no password.
func TestTLS(t *testing.T) {
	db := database(t)
	file := buildsFile(t, "b.jsonl", "p", 0, 3)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	pem, err := os.ReadFile(filepath.Join(it.dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(authority, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		host, options string
		code          int
		said          string
	}{
		{"127.0.0.1", "", 0, ""},
		{"127.0.0.1", "sslmode=disable", 0, ""},
		{"127.0.0.1", "sslmode=require", 0, ""},
		{"127.0.0.1", "sslmode=verify-full", 3, "no TLS connection that can be trusted"}, // signed by nobody known
		{"127.0.0.1", "sslmode=verify-ca&sslrootcert=" + authority, 0, ""},
		{"127.0.0.1", "sslmode=verify-full&sslrootcert=" + authority, 3, "no TLS connection that can be trusted"}, // another name
		{"localhost", "sslmode=verify-full&sslrootcert=" + authority, 0, ""},
		{"localhost", "sslmode=verify-full&sslrootcert=/nowhere.pem", 2, "/nowhere.pem"},
		{"localhost", "sslmode=some", 2, "sslmode"},
	} {
		r := buildregress(t, login, "record", "--store", "postgres://"+test.host+":"+it.port+"/"+db+"?"+test.options, file)
		r.want(t, test.code, test.said)
	}
}

// A password may come from all places that PostgreSQL's programs take it from, and is
// shown nowhere, nor is who logs in.
func TestLogins(t *testing.T) {
	db := database(t)
	file := buildsFile(t, "b.jsonl", "p", 0, 30)
	passwords := filepath.Join(t.TempDir(), "pgpass")
	line := fmt.Sprintf("127.0.0.1:%s:*:%s:%s\n", it.port, ownerName, strings.ReplaceAll(ownerPassword, ":", `\:`))
	if err := os.WriteFile(passwords, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	full := it.address(db)
	for _, test := range []struct {
		what        string
		environment []string
		store       string
		code        int
	}{
		{"environment", login, without(db), 0},
		{"file", []string{"PGUSER=" + ownerName, "PGPASSFILE=" + passwords}, without(db), 0},
		{"address", nil, full, 0},
		{"options", nil, without(db) + "?user=" + ownerName + "&password=" + strings.ReplaceAll(ownerPassword, "/", "%2F"), 0},
		{"variable", []string{"BUILDREGRESS_STORE=" + full}, "", 0},
		{"wrong", []string{"PGUSER=" + ownerName, "PGPASSWORD=" + ownerPassword + "x"}, without(db), 3},
		{"no such role", []string{"PGUSER=nobody_" + ownerName, "PGPASSWORD=" + ownerPassword}, without(db), 3},
		{"no such database", login, without("nothing"), 3},
		{"no server", nil, strings.Replace(full, it.port, "1", 1), 3},
		{"no URL", nil, strings.Replace(full, it.port, "port", 1), 2},
		{"unescaped", nil, strings.Replace(full, "%2F", "/", 1), 2},
		{"wrong option", nil, full + "?sslmode=x", 2},
		{"no such option", nil, full + "?nothing=x", 3},
	} {
		t.Run(test.what, func(t *testing.T) {
			store := []string{"--store", test.store}
			if test.store == "" {
				store = nil
			}
			for _, args := range [][]string{
				append([]string{"record", file, "--verbose"}, store...),
				append([]string{"check", "--build", "p-29", file, "--format", "json", "--output", "html=report.html"}, store...),
				append([]string{"history", "--verbose"}, store...),
				append([]string{"show", "^1"}, store...),
			} {
				r := buildregress(t, test.environment, args...) // which looks at what it says
				if r.code != test.code {
					t.Errorf("%q exits %d, want %d: %s", args[0], r.code, test.code, r.stderr)
				}
			}
			if test.store != "" {
				r := buildregress(t, test.environment, "check", test.store)
				r.want(t, 2)
				if r = buildregress(t, test.environment, "check", "--baseline", test.store, file); r.code != test.code {
					t.Errorf("as a baseline: exit code %d, want %d: %s", r.code, test.code, r.stderr)
				}
			}
		})
	}
	rows, err := admin(t, db).Query("SELECT builds::text FROM buildregress.builds UNION ALL SELECT names::text FROM buildregress.names UNION ALL SELECT searches::text FROM buildregress.searches")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		seen++
		if strings.Contains(text, ownerName) || strings.Contains(text, "0wn3r") {
			t.Errorf("the store holds %s", text)
		}
	}
	if err := rows.Err(); err != nil || seen < 30 {
		t.Errorf("%d rows, %v", seen, err)
	}
}

// What a check reads does not grow with the history: rows are counted, no time is taken.
func TestCostOfACheck(t *testing.T) {
	rows := map[int]int{}
	for _, size := range []int{1_000, 10_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			db := database(t)
			filled := buildregress(t, login, "record", "--timeout", "0", "--store", without(db), buildsFile(t, "b.jsonl", "p", 0, size))
			filled.want(t, 0)
			owner := admin(t, db)
			if _, err := owner.Exec("VACUUM ANALYZE"); err != nil {
				t.Fatal(err)
			}
			read := func() (n int) {
				t.Helper()
				for left := 1; left > 0; { // who is gone has told what it read
					if err := owner.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'buildregress'").Scan(&left); err != nil {
						t.Fatal(err)
					}
				}
				if err := owner.QueryRow("SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables WHERE schemaname = 'buildregress' AND relname IN ('builds', 'steps', 'names', 'keys')").Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			before := read()
			judged := buildregress(t, login, "check", "--record", "always", "--store", without(db), buildsFile(t, "new.jsonl", "p", 2*size, 1))
			judged.want(t, 0, "50 builds of `main`")
			rows[size] = read() - before
		})
	}
	t.Logf("rows read: %v", rows)
	if rows[1_000] < 50 || rows[10_000] > rows[1_000]*5/4 {
		t.Errorf("a check beside 10,000 builds reads %d rows, beside 1,000 %d", rows[10_000], rows[1_000])
	}
}
