package main

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A setting is what was said about an option, and where: "--window",
// "BUILDREGRESS_WINDOW" or "file:line".
type setting struct {
	values []string
	from   string
}

// settings are those that were said, by the option's name.
type settings map[string]setting

// variable is the name of an option in the environment.
func variable(option string) string {
	return "BUILDREGRESS_" + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
}

// addEnvironment adds what the environment says about options that no flag
// speaks of. An empty variable says nothing: that is what a CI system makes of
// an input that was not given. Several values stand in lines.
func (s settings) addEnvironment(options []option, env func(string) string) {
	for _, o := range options {
		if _, given := s[o.name]; given {
			continue
		}
		name := variable(o.name)
		values := []string{env(name)}
		if o.many {
			values = strings.Split(strings.ReplaceAll(env(name), "\r", ""), "\n")
		}
		values = slices.DeleteFunc(values, func(v string) bool { return strings.TrimSpace(v) == "" })
		if len(values) > 0 {
			s[o.name] = setting{values, name}
		}
	}
}

// unknownVariables are those of the environment that look like options of ours
// and are none.
func unknownVariables(vars []string) (unknown []string) {
	for _, v := range vars {
		name, _, _ := strings.Cut(v, "=")
		isOption := func(o option) bool { return variable(o.name) == name }
		if strings.HasPrefix(name, variable("")) && !slices.ContainsFunc(allOptions, isOption) && !slices.Contains(githubTokens, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// text is the value of an option, or what it is if nothing was said.
func (s settings) text(o string) string {
	if said, ok := s[o]; ok {
		return said.values[0]
	}
	for _, known := range allOptions {
		if known.name == o {
			return known.fallback
		}
	}
	return ""
}

// wrong is the error on an option's value.
func (s settings) wrong(o, want string) error {
	return usagef("%s: %q is not %s", s[o].from, s.text(o), want)
}

// oneOf is the value of an option that has a few.
func (s settings) oneOf(o string, values ...string) (string, error) {
	if text := s.text(o); slices.Contains(values, text) {
		return text, nil
	}
	return "", s.wrong(o, "one of "+strings.Join(values, ", "))
}

// on tells whether a toggle is on.
func (s settings) on(o string) (bool, error) {
	if _, said := s[o]; !said {
		return false, nil
	}
	on, err := strconv.ParseBool(s.text(o))
	if err != nil {
		return false, s.wrong(o, "true or false")
	}
	return on, nil
}

// number sets to, if the option was given, to a whole number of at least least.
func (s settings) number(o string, least int, to *int) error {
	if _, said := s[o]; !said {
		return nil
	}
	n, err := strconv.Atoi(s.text(o))
	if err != nil || n < least || n > 10_000 {
		return s.wrong(o, fmt.Sprintf("a whole number from %d to 10000", least))
	}
	*to = n
	return nil
}

// share sets to, if the option was given, to a number between 0 and 1, both
// left out.
func (s settings) share(o string, to *float64) error {
	if _, said := s[o]; !said {
		return nil
	}
	f, err := strconv.ParseFloat(s.text(o), 64)
	if err != nil || !(f > 0 && f < 1) {
		return s.wrong(o, "a number between 0 and 1, such as 0.05")
	}
	*to = f
	return nil
}

// percent sets to, if the option was given, to a percentage's share: 15% is 0.15.
func (s settings) percent(o string, to *float64) error {
	if _, said := s[o]; !said {
		return nil
	}
	digits, ok := strings.CutSuffix(s.text(o), "%")
	f, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(f >= 0 && f <= 1e6) {
		return s.wrong(o, "a percentage, such as 15%")
	}
	*to = f / 100
	return nil
}

// duration is the value of an option that is a duration of zero or more.
func (s settings) duration(o string) (time.Duration, error) {
	d, err := parseDuration(s.text(o))
	if err != nil {
		return 0, s.wrong(o, "a duration, such as 90s, 1h30m or 30d")
	}
	return d, nil
}

var days = regexp.MustCompile(`^(\d+(?:\.\d+)?)d`)

// parseDuration reads a duration as Go writes it, with days in front: "30d",
// "1d12h".
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
