package cli

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
)

// A given is what was said about an option, and where: "--window",
// "BUILDREGRESS_WINDOW" or "FILE:LINE: window".
type given struct {
	values []string // at least one
	from   string
}

func (g given) value() string { return g.values[0] }

// wrong is the fault of a value that is not what is wanted.
func (g given) wrong(value, want string) error {
	return usagef("%s: %q is not %s", g.from, value, want)
}

// A binding leads from an option to its field of the settings.
type binding struct {
	field func(*settings) any // its address
	parse func(*settings, given) error
}

// bind makes the binding of a field whose value a function reads.
func bind[T any](field func(*settings) *T, read func(given) (T, error)) binding {
	return binding{
		field: func(s *settings) any { return field(s) },
		parse: func(s *settings, g given) error {
			value, err := read(g)
			if err != nil {
				return err
			}
			*field(s) = value
			return nil
		},
	}
}

func text(field func(*settings) *string) binding {
	return bind(field, func(g given) (string, error) { return g.value(), nil })
}

func list(field func(*settings) *[]string) binding {
	return bind(field, func(g given) ([]string, error) { return g.values, nil })
}

// choice takes one of a few values.
func choice[T ~string](field func(*settings) *T, values ...T) binding {
	return bind(field, func(g given) (T, error) {
		value := T(g.value())
		if slices.Contains(values, value) {
			return value, nil
		}
		var names []string
		for _, v := range values {
			names = append(names, string(v))
		}
		return "", g.wrong(g.value(), "one of "+strings.Join(names, ", "))
	})
}

func when(field func(*settings) *command.When) binding {
	return choice(field, command.Auto, command.Always, command.Never)
}

func toggle(field func(*settings) *bool) binding {
	return bind(field, func(g given) (bool, error) {
		on, err := strconv.ParseBool(g.value())
		if err != nil {
			return false, g.wrong(g.value(), "true or false")
		}
		return on, nil
	})
}

// whole takes a whole number of at least least.
func whole(field func(*settings) *int, least int) binding {
	const most = 10_000
	return bind(field, func(g given) (int, error) {
		n, err := strconv.Atoi(g.value())
		if err != nil || n < least || n > most {
			return 0, g.wrong(g.value(), fmt.Sprintf("a whole number from %d to %d", least, most))
		}
		return n, nil
	})
}

// share takes a number between 0 and 1, both left out.
func share(field func(*settings) *float64) binding {
	return bind(field, func(g given) (float64, error) {
		f, err := strconv.ParseFloat(g.value(), 64)
		if err != nil || !(f > 0 && f < 1) {
			return 0, g.wrong(g.value(), "a number between 0 and 1, such as 0.05")
		}
		return f, nil
	})
}

func percent(field func(*settings) *float64) binding { return bind(field, parsePercent) }

// parsePercent reads a percentage as a share: 15% is 0.15.
func parsePercent(g given) (float64, error) {
	digits, ok := strings.CutSuffix(g.value(), "%")
	f, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(f >= 0 && f <= 1e6) {
		return 0, g.wrong(g.value(), "a percentage, such as 15%")
	}
	return f / 100, nil
}

// injection takes the factor of --inject.
func injection(field func(*settings) *float64) binding {
	const most = 100
	return bind(field, func(g given) (float64, error) {
		f, err := strconv.ParseFloat(g.value(), 64)
		if err != nil || !(f > 1 && f <= most) {
			return 0, g.wrong(g.value(), fmt.Sprintf("a factor above 1 and up to %d, such as 1.5", most))
		}
		return f, nil
	})
}

func duration(field func(*settings) *time.Duration) binding {
	return bind(field, func(g given) (time.Duration, error) {
		d, err := parseDuration(g.value())
		if err != nil {
			return 0, g.wrong(g.value(), "a duration, such as 90s, 1h30m or 30d")
		}
		return d, nil
	})
}

func seconds(field func(*settings) *timeline.Seconds) binding {
	return duration(func(s *settings) *time.Duration { return (*time.Duration)(field(s)) })
}

var days = regexp.MustCompile(`^(\d+(?:\.\d+)?)d`)

// parseDuration reads a duration of zero or more as Go writes it, with days in front:
// "30d", "1d12h".
func parseDuration(text string) (time.Duration, error) {
	var d time.Duration
	if m := days.FindStringSubmatch(text); m != nil {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil || n*24*float64(time.Hour) > math.MaxInt64/2 {
			return 0, strconv.ErrRange
		}
		d = time.Duration(n * 24 * float64(time.Hour))
		if text = text[len(m[0]):]; text == "" {
			return d, nil
		}
	}
	rest, err := time.ParseDuration(text)
	if err != nil || rest < 0 || d+rest < 0 {
		return 0, strconv.ErrSyntax
	}
	return d + rest, nil
}

// failures are what a check can fail on, the default first.
var failures = []string{
	detect.Regressed.String(), detect.Unsure.String(),
	detect.StatusCacheLost.String(), detect.StatusOverBudget.String(), detect.StatusWaiting.String(), string(command.Never),
}

func failOn(field func(*settings) *[]string) binding {
	return bind(field, func(g given) ([]string, error) {
		for _, v := range g.values {
			if slices.Contains(failures, v) {
				continue
			}
			fault := usageError{message: masked("%s: %q is not one of %s", g.from, v, strings.Join(failures, ", "))}
			if strings.Contains(v, ",") {
				names := strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
				fault.hint = "name one at a time: --fail-on " + strings.Join(names, " --fail-on ")
			}
			return nil, fault
		}
		if len(g.values) > 1 && slices.Contains(g.values, string(command.Never)) {
			return nil, usagef("%s: %q goes with nothing else", g.from, command.Never)
		}
		return g.values, nil
	})
}

func printBuilds(field func(*settings) *bool) binding {
	return bind(field, func(g given) (bool, error) {
		if g.value() != "builds" {
			return false, g.wrong(g.value(), "one of builds")
		}
		return true, nil
	})
}

func storeURL(field func(*settings) *string) binding { return bind(field, parseStore) }

func parseStore(g given) (string, error) {
	address := g.value()
	if err := source.CheckStore(address); err != nil {
		return "", usageError{g.from + ": " + err.Error(), console.HintOf(err)}
	}
	return address, nil
}

// baseline takes a store, or anything that may be a source.
func baseline(field func(*settings) *string) binding {
	return bind(field, func(g given) (string, error) {
		if source.IsStore(g.value()) {
			return parseStore(g)
		}
		return g.value(), nil
	})
}

// outputs takes files that reports are written to.
func outputs(field func(*settings) *[]command.OutputFile, known ...string) binding {
	return bind(field, func(g given) (files []command.OutputFile, err error) {
		for _, v := range g.values {
			format, path, ok := strings.Cut(v, "=")
			switch {
			case !ok || path == "":
				return nil, usagef("%s: %q is not FORMAT=PATH", g.from, v)
			case !slices.Contains(known, format):
				return nil, usagef("%s: format %q is not one of %s", g.from, format, strings.Join(known, ", "))
			case path == "-":
				return nil, usageError{masked("%s: %q names no file", g.from, v), "--format says what goes to standard output"}
			case slices.ContainsFunc(files, func(f command.OutputFile) bool { return command.IsSameFile(f.Path, path) }):
				return nil, usagef("%s: two reports are to go to %s", g.from, path)
			}
			if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
				return nil, usageError{masked("%s: %s: there is no such folder", g.from, filepath.Dir(path)), "make it first: reports go to folders that exist"}
			}
			files = append(files, command.OutputFile{Format: report.Format(format), Path: path})
		}
		return files, nil
	})
}

// traceAs takes what a trace is read as.
func traceAs(field func(*settings) *bool) binding {
	return bind(field, func(g given) (bool, error) {
		if v := g.value(); v != "pipeline" {
			return false, usagef("%s: %q is not pipeline", g.from, v)
		}
		return true, nil
	})
}

// since takes a duration, a date or a revision.
func since(field func(*settings) *command.Since) binding {
	return bind(field, func(g given) (command.Since, error) {
		text := g.value()
		if d, err := parseDuration(text); err == nil {
			return command.Since{Ago: d}, nil
		}
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if t, err := time.Parse(layout, text); err == nil {
				return command.Since{Time: t}, nil
			}
		}
		if len(text) < 4 || strings.ContainsAny(text, " \t") {
			return command.Since{}, g.wrong(text, "a revision, a date such as 2026-01-31, or how long ago, such as 90d")
		}
		return command.Since{Revision: text}, nil
	})
}

// traceID takes the id of a trace in hex, of which some tools leave out zeros in
// front.
func traceID(field func(*settings) *string) binding {
	const digits = 32
	return bind(field, func(g given) (string, error) {
		id := strings.ToLower(g.value())
		if id == "" { // of a variable of a shell that is not set
			return "", nil
		}
		if len(id) > digits || strings.Trim(id, "0123456789abcdef") != "" {
			return "", g.wrong(g.value(), "the id of a trace, 32 digits of hex")
		}
		return strings.Repeat("0", digits-len(id)) + id, nil
	})
}

func tags(field func(*settings) *map[string]string) binding {
	return bind(field, func(g given) (map[string]string, error) {
		tags := map[string]string{}
		for _, tag := range g.values {
			key, value, ok := strings.Cut(tag, "=")
			if !ok || key == "" || value == "" {
				return nil, usagef("%s: %q is not KEY=VALUE", g.from, tag)
			}
			tags[key] = value
		}
		return tags, nil
	})
}

// secretHeaders are those that no flag may set: others can see flags.
var secretHeaders = []string{"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"}

func headers(field func(*settings) *http.Header) binding {
	return bind(field, func(g given) (http.Header, error) {
		header := http.Header{}
		for _, line := range g.values {
			name, value, ok := strings.Cut(line, ":")
			name, value = strings.TrimSpace(name), strings.TrimSpace(value)
			if !ok || name == "" || strings.ContainsAny(name, " \t=") {
				return nil, usagef("%s: headers are written NAME: VALUE", g.from)
			}
			if strings.HasPrefix(g.from, "--") && slices.Contains(secretHeaders, strings.ToLower(name)) {
				return nil, usageError{masked("--header: %s is a secret, and flags are seen by others", name), "set BUILDREGRESS_HEADER, or BUILDREGRESS_TOKEN for a bearer token"}
			}
			header.Add(name, value)
		}
		return header, nil
	})
}
