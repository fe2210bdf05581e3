package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/glob"
)

// configPath is read if it is there and no other is named.
const configPath = ".buildregress.yaml"

// maxConfig bounds the file: a pull request can change it, and a sensible one
// has a few lines.
const maxConfig = 64 << 10

// configKeys are the options that may stand in the file; policyKeys what can be
// said nowhere else.
var (
	configKeys = []string{"window", "min-history", "fdr", "min-slowdown", "min-delta", "fail-on"}
	policyKeys = []string{"max", "steps", "accept"}
)

// addConfig adds what the configuration file says about options that neither a
// flag nor the environment speaks of, and returns the rest of what it says.
func (s settings) addConfig() (detect.Policy, error) {
	path := s.text("config")
	data, err := readConfig(path)
	if err != nil {
		return detect.Policy{}, err
	}
	said, policy, err := parseConfig(path, data)
	if err != nil {
		return detect.Policy{}, err
	}
	for name, value := range said {
		if _, given := s[name]; !given {
			s[name] = value
		}
	}
	return policy, nil
}

// readConfig reads the file at path, or the usual one, which need not exist, if
// path is "".
func readConfig(path string) ([]byte, error) {
	optional := path == ""
	if optional {
		path = configPath
	}
	f, err := openRegular(path)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, usageError{message: err.Error()}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, usageError{message: err.Error()}
	}
	if len(data) > maxConfig {
		return nil, usagef("%s: larger than %d KiB", path, maxConfig>>10)
	}
	return data, nil
}

// parseConfig reads a configuration file: what it says about options, and the
// part of the policy that is no option.
//
// Note: it walks the nodes instead of decoding into a struct, as every value is
// parsed where flags are, and errors there say the line.
func parseConfig(path string, data []byte) (said settings, policy detect.Policy, err error) {
	if path == "" {
		path = configPath
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err == io.EOF {
		return nil, policy, nil
	} else if err != nil {
		return nil, policy, usagef("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(new(yaml.Node)); err != io.EOF {
		return nil, policy, usagef("%s: holds more than one document", path)
	}
	top := document.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return nil, policy, nil
	}
	said = settings{}
	err = eachKey(path, top, func(at, name string, value *yaml.Node) error {
		switch {
		case name == "max":
			return parseBudget(at, value, &policy.Max)
		case name == "steps":
			return eachEntry(path, at, value, func(from string, entry *yaml.Node) error {
				rule, err := parseRule(path, from, entry)
				policy.Rules = append(policy.Rules, rule)
				return err
			})
		case name == "accept":
			return eachEntry(path, at, value, func(from string, entry *yaml.Node) error {
				acceptance, err := parseAcceptance(path, from, entry)
				policy.Accept = append(policy.Accept, acceptance)
				return err
			})
		}
		if err := allowedInConfig(at, name); err != nil {
			return err
		}
		values, ok := scalars(value, name == "fail-on")
		if !ok {
			return usagef("%s: %s wants a plain value", at, name)
		}
		said[name] = setting{values, at + ": " + name}
		return nil
	})
	return said, policy, err
}

// eachKey calls do for every "key: value" of a mapping, with the place of the key.
func eachKey(path string, node *yaml.Node, do func(at, name string, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		return usagef("%s:%d: want lines such as \"min-delta: 2s\"", path, node.Line)
	}
	seen := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := fmt.Sprintf("%s:%d", path, key.Line)
		if seen[key.Value] {
			return usagef("%s: %s is given a second time", at, key.Value)
		}
		seen[key.Value] = true
		if err := do(at, key.Value, value); err != nil {
			return err
		}
	}
	return nil
}

// eachEntry calls do for every member of a list, with its place.
func eachEntry(path, at string, node *yaml.Node, do func(from string, entry *yaml.Node) error) error {
	if node.Kind != yaml.SequenceNode {
		return usagef("%s: want a list, each entry of which begins with \"- step: GLOB\"", at)
	}
	for _, entry := range node.Content {
		if err := do(fmt.Sprintf("%s:%d", path, entry.Line), entry); err != nil {
			return err
		}
	}
	return nil
}

// parseRule reads an entry of "steps".
func parseRule(path, from string, entry *yaml.Node) (detect.Rule, error) {
	rule := detect.Rule{From: from}
	err := eachKey(path, entry, func(at, name string, value *yaml.Node) error {
		text, err := plainValue(at, name, value)
		if err != nil {
			return err
		}
		one := settings{name: {[]string{text}, at + ": " + name}}
		switch name {
		case "step":
			rule.Step = glob.Pattern(text)
		case "ignore":
			rule.Ignore = text
		case "min-slowdown":
			return one.percent(name, &rule.MinSlowdown)
		case "min-delta":
			return parseBudget(at, value, &rule.MinDelta)
		case "max":
			return parseBudget(at, value, &rule.Max)
		default:
			return usageError{fmt.Sprintf("%s: unknown key %q", at, name), "a step has step, min-slowdown, min-delta, max and ignore (the reason why)"}
		}
		return nil
	})
	if err == nil && rule.Step == "" {
		err = usageError{from + ": no step is named", "write \"- step: GLOB\", a glob on \"[platform stage] INSTRUCTION text\""}
	}
	return rule, err
}

// parseAcceptance reads an entry of "accept".
func parseAcceptance(path, from string, entry *yaml.Node) (detect.Acceptance, error) {
	a := detect.Acceptance{From: from}
	err := eachKey(path, entry, func(at, name string, value *yaml.Node) error {
		text, err := plainValue(at, name, value)
		if err != nil {
			return err
		}
		switch name {
		case "step":
			a.Step = glob.Pattern(text)
		case "since":
			if a.Since = text; !revision.MatchString(text) {
				return usagef("%s: since: %q is no revision: 7 to 64 hexadecimal digits", at, text)
			}
		case "why":
			a.Why = text
		default:
			return usageError{fmt.Sprintf("%s: unknown key %q", at, name), "an acceptance has step, since and why"}
		}
		return nil
	})
	if err == nil && (a.Step == "" || a.Since == "" || a.Why == "") {
		err = usageError{from + ": an acceptance says step, since which revision, and why", ""}
	}
	return a, err
}

var revision = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// parseBudget reads a duration above zero.
func parseBudget(at string, node *yaml.Node, to *detect.Seconds) error {
	d, err := parseDuration(node.Value)
	if node.Kind != yaml.ScalarNode || err != nil || d <= 0 {
		return usagef("%s: %.40q is not a duration, such as 90s or 5m", at, node.Value)
	}
	*to = detect.Seconds(d)
	return nil
}

// plainValue is the text of a node that is a plain value.
func plainValue(at, name string, node *yaml.Node) (string, error) {
	values, ok := scalars(node, false)
	if !ok {
		return "", usagef("%s: %s wants a plain value", at, name)
	}
	return values[0], nil
}

// allowedInConfig refuses keys that are none, and those of options that a pull
// request must not set.
func allowedInConfig(at, name string) error {
	if slices.Contains(configKeys, name) {
		return nil
	}
	if slices.ContainsFunc(allOptions, func(o option) bool { return o.name == name }) {
		return usageError{
			fmt.Sprintf("%s: %s cannot be set here: a pull request can change this file, so that it holds only how builds are judged", at, name),
			fmt.Sprintf("give --%s, or %s in the environment", name, variable(name)),
		}
	}
	return usageError{fmt.Sprintf("%s: unknown key %q", at, name), "keys are " + strings.Join(slices.Concat(configKeys, policyKeys), ", ")}
}

// scalars are the values of a node: one, or where it may be a list, several.
func scalars(node *yaml.Node, many bool) (values []string, ok bool) {
	nodes := []*yaml.Node{node}
	if many && node.Kind == yaml.SequenceNode {
		nodes = node.Content
	}
	for _, n := range nodes {
		if n.Kind != yaml.ScalarNode || n.Value == "" {
			return nil, false
		}
		values = append(values, n.Value)
	}
	return values, len(values) > 0
}
