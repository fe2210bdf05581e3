package cli

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/ci"
)

// parse makes settings of the flags that were given, the environment, and, for commands
// that take it, the configuration file: a flag goes before the environment, that before
// the file, that before the default. The error joins all faults that are found.
func (c *subcommand) parse(p *Process, flags map[string]given) (*settings, error) {
	if c.taker != 0 {
		for _, name := range unknownVariables(p.Environ()) {
			p.console.Warn(name + " is set, and there is no such option: buildregress help check lists them")
		}
	}
	s := newSettings()
	s.servers = sync.OnceValues(func() (source.TracesOptions, error) { return s.traces(p.Getenv) })
	taken := optionsOf(c.taker)
	said := map[string]given{}
	for _, o := range taken {
		if g, ok := flags[o.name]; ok {
			said[o.name] = g
		} else if g, ok := o.inEnvironment(p.Getenv); ok {
			said[o.name] = g
		}
	}
	var faults []error
	if slices.ContainsFunc(taken, func(o option) bool { return o.inFile }) {
		var path string
		if g, ok := said["config"]; ok {
			path = g.value()
		}
		file, err := readConfig(path)
		faults = append(faults, err)
		s.policy, s.dismiss = file.policy, file.dismiss
		for name, g := range file.said {
			if _, ok := said[name]; !ok {
				said[name] = g
			}
		}
	}
	for _, o := range taken {
		g, ok := said[o.name]
		if !ok {
			continue
		}
		if err := o.parse(s, g); err != nil {
			faults = append(faults, err)
			s.faulty[o.field(s)] = true
			continue
		}
		s.from[o.field(s)] = g.from
	}
	return s, errors.Join(faults...)
}

// newSettings has the defaults of all options.
func newSettings() *settings {
	s := &settings{from: map[any]string{}, faulty: map[any]bool{}}
	for _, o := range options {
		if o.fallback == "" {
			continue
		}
		if err := o.parse(s, given{[]string{o.fallback}, "the default"}); err != nil {
			panic(err) // the table is wrong
		}
	}
	return s
}

// inEnvironment is what the environment says about an option. An empty variable says
// nothing: that is what a CI system makes of an input that was not given. Several values
// stand in lines.
func (o *option) inEnvironment(env ci.Env) (g given, ok bool) {
	name := variable(o.name)
	values := []string{env(name)}
	if o.many {
		values = strings.Split(strings.ReplaceAll(env(name), "\r", ""), "\n")
	}
	values = slices.DeleteFunc(values, func(v string) bool { return strings.TrimSpace(v) == "" })
	return given{values, name}, len(values) > 0
}

// unknownVariables are those of the environment, "NAME=value", that look like options
// of ours and are none.
func unknownVariables(environ []string) (unknown []string) {
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		isOption := func(o option) bool { return variable(o.name) == name }
		if strings.HasPrefix(name, variable("")) && !slices.ContainsFunc(options, isOption) && !slices.Contains(slices.Concat(ci.GitHubTokens, ci.GitLabTokens), name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}
