package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/buildregress/buildregress/detect"
)

// Whatever names hold, it is XML whose counts are those of its cases, no two of which
// are one; and some fail exactly where the check does.
func TestJUnitFailsWhereTheCheckDoes(t *testing.T) {
	failOns := [][]string{{"regressed"}, {"unsure"}, {"cache-lost"}, {"over-budget"}, {"never"}, {"regressed", "cache-lost"}}
	for _, f := range append(fixtures(), fixture{"control characters", hostileReport("\x00\x1b[31m]]>\x0b\xff\u2028<!--")}) {
		for _, failOn := range failOns {
			f.report.FailOn = failOn
			var all junitSuites
			text := render(t, func(w io.Writer) error { return JUnit(w, f.report) })
			if err := xml.Unmarshal([]byte(text), &all); err != nil {
				t.Fatalf("%s: %v", f.name, err)
			}
			fails := slices.ContainsFunc(f.report.Results, func(r detect.Result) bool { return r.Fails(failOn) })
			if fails != (all.Failures > 0) {
				t.Errorf("%s with --fail-on %s: %d failures, and that it fails is %v", f.name, failOn, all.Failures, fails)
			}
			tests, failures := 0, 0
			names := map[string]bool{} // of all suites: GitLab does not tell these apart
			for _, s := range all.Suites {
				skipped := 0
				for _, c := range s.Cases {
					if id := c.Class + "\x00" + c.Name; names[id] {
						t.Errorf("%s: two cases are %q", f.name, id)
					} else {
						names[id] = true
					}
					if len([]rune(c.Name)) > maxJUnitName+10 || strings.ContainsAny(c.Name, "\x00\x1b\n") {
						t.Errorf("%s: name %q", f.name, c.Name)
					}
					if c.Failure != nil {
						failures++
					}
					if c.Skipped != nil {
						skipped++
						if c.Skipped.Message == "" {
							t.Errorf("%s: %s is skipped without a reason", f.name, c.Name)
						}
					}
				}
				if tests += len(s.Cases); s.Tests != len(s.Cases) || s.Skipped != skipped {
					t.Errorf("%s: %d tests and %d skipped, said are %d and %d", f.name, len(s.Cases), skipped, s.Tests, s.Skipped)
				}
			}
			if all.Tests != tests || all.Failures != failures {
				t.Errorf("%s: %d tests and %d failures, said are %d and %d", f.name, tests, failures, all.Tests, all.Failures)
			}
		}
	}
}

// An element says what the schema of Jenkins' xUnit plugin (junit-10.xsd) allows of those that
// are written here: attributes (true for one that has to be there), and children.
type element struct {
	attributes map[string]bool
	children   []string
	text       bool
}

var junitSchema = map[string]element{
	"":           {children: []string{"testsuites"}},
	"testsuites": {attributes: map[string]bool{"name": false, "time": false, "tests": false, "failures": false, "errors": false}, children: []string{"testsuite"}},
	"testsuite": {
		attributes: map[string]bool{
			"name": true, "tests": true, "failures": true, "errors": true, "group": false, "time": false, "skipped": false, "timestamp": false,
			"hostname": false, "id": false, "package": false, "file": false, "log": false, "url": false,
		},
		children: []string{"testsuite", "properties", "testcase", "system-out", "system-err"},
	},
	"testcase":   {attributes: map[string]bool{"name": true, "time": false, "classname": false, "group": false}, children: []string{"skipped", "error", "failure", "system-out", "system-err"}},
	"failure":    {attributes: map[string]bool{"type": false, "message": false}, text: true},
	"skipped":    {attributes: map[string]bool{"type": false, "message": false}, text: true},
	"system-out": {text: true},
}

var (
	junitSeconds = regexp.MustCompile(`^[0-9]+\.[0-9]{3}$`) // narrower than what Surefire writes, which the schema allows
	junitMoment  = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`)
)

// checkJUnit holds a document against the rules: of XML, of the schema, and of GitLab, which
// takes files below 30 MB and knows cases by class and name.
func checkJUnit(t testing.TB, document string) {
	t.Helper()
	if !utf8.ValidString(document) || !strings.HasPrefix(document, `<?xml version="1.0" encoding="UTF-8"?>`) || len(document) >= 30_000_000 {
		t.Errorf("%d bytes are no such document", len(document))
	}
	for _, r := range document {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || r == '\uFFFE' || r == '\uFFFF') {
			t.Errorf("%U stands in it", r)
		}
	}
	d := xml.NewDecoder(strings.NewReader(document)) // strict
	within := []string{""}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%.2000s", err, document)
		}
		parent := within[len(within)-1]
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			if !slices.Contains(junitSchema[parent].children, name) {
				t.Errorf("<%s> stands in <%s>", name, parent)
			}
			there := map[string]string{}
			for _, a := range token.Attr {
				if _, allowed := junitSchema[name].attributes[a.Name.Local]; !allowed {
					t.Errorf("<%s> has the attribute %s", name, a.Name.Local)
				}
				there[a.Name.Local] = a.Value
				if len(a.Value) > 16<<10 || strings.ContainsAny(a.Value, "\n\t") {
					t.Errorf("%s of <%s> is %.100q… of %d bytes", a.Name.Local, name, a.Value, len(a.Value))
				}
			}
			for attribute, required := range junitSchema[name].attributes {
				value, has := there[attribute]
				if required && value == "" || has && attribute == "time" && !junitSeconds.MatchString(value) || has && attribute == "timestamp" && !junitMoment.MatchString(value) {
					t.Errorf("%s of <%s> is %q", attribute, name, value)
				}
			}
			within = append(within, name)
		case xml.EndElement:
			within = within[:len(within)-1]
		case xml.CharData:
			if !junitSchema[parent].text && strings.TrimSpace(string(token)) != "" {
				t.Errorf("<%s> has the text %q", parent, token)
			}
		case xml.Directive, xml.Comment:
			t.Errorf("there is a %T", token)
		}
	}
}

func TestJUnitIsValid(t *testing.T) {
	all := fixtures()
	for _, text := range append([]string{"", "\x00\x01\x08\x0b\x0c\x1b\x7f\u0085\u009f", "\xff\xfe\xc0\x80\xed\xa0\x80", "]]>", "<![CDATA[ x", "&#0;&bad;", "\uFFFE\uFFFF\U0010FFFF\U0001F600", "<!DOCTYPE x [<!ENTITY a 'b'>]>", strings.Repeat("&\x00<é", 5000)}, hostileSeeds...) {
		all = append(all, fixture{"hostile " + text, hostileReport(text)})
	}
	odd := reportOf(regressedResult())
	odd.Results[0].Build.Duration, odd.Results[0].Steps[3].Current, odd.Results[0].Build.Start = -5, math.MaxInt64, time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)
	all = append(all, fixture{"odd times", odd})
	for _, f := range all {
		t.Run(f.name[:min(len(f.name), 20)], func(t *testing.T) {
			checkJUnit(t, render(t, func(w io.Writer) error { return JUnit(w, f.report) }))
		})
	}
}

func FuzzJUnit(f *testing.F) {
	for _, seed := range hostileSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkJUnit(t, render(t, func(w io.Writer) error { return JUnit(w, hostileReport(text)) }))
	})
}

// The cases of several pipelines keep apart where suites are not looked at.
func TestJUnitOfSeveralPipelines(t *testing.T) {
	text := render(t, func(w io.Writer) error { return JUnit(w, reportOf(passOf("shop/web"), passOf("shop/api"))) })
	for _, want := range []string{`classname="shop/web build" name="RUN npm ci"`, `classname="shop/api build" name="RUN npm ci"`, `classname="shop/api build" name="the whole build"`} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %s:\n%s", want, text)
		}
	}
	same := render(t, func(w io.Writer) error { return JUnit(w, reportOf(passOf("shop/web"), passOf("shop/web"))) })
	if !strings.Contains(same, `classname="build" name="RUN npm ci"`) || !strings.Contains(same, `classname="build" name="RUN npm ci (2)"`) {
		t.Errorf("two builds of one pipeline:\n%s", same)
	}
}
