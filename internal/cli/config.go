package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/glob"
	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"go.yaml.in/yaml/v3"
)

// configPath is read if it is there and no other is named.
const configPath = ".buildregress.yaml"

// maxConfig bounds the file: a pull request can change it, and a sensible one
// has a few lines.
const maxConfig = 64 << 10

// policyKeys are what can be said nowhere else.
var policyKeys = []string{"max", "steps", "accept", "dismiss"}

// configKeys are the options that may stand in the file.
func configKeys() (names []string) {
	for _, o := range options {
		if o.inFile && !slices.Contains(names, o.name) {
			names = append(names, o.name)
		}
	}
	return names
}

// A config is what a configuration file says.
type config struct {
	said    map[string]given   // about options, by their names
	policy  detect.Policy      // what of it is no option
	dismiss []advice.Dismissal // which advice is not wanted
}

// readConfig reads the file at path, or the usual one if path is "".
func readConfig(path string) (config, error) {
	data, err := readConfigFile(path)
	if err != nil {
		return config{}, err
	}
	return parseConfig(path, data)
}

// readConfigFile reads the file at path, or the usual one, which need not exist, if
// path is "".
func readConfigFile(path string) ([]byte, error) {
	optional := path == ""
	if optional {
		path = configPath
	}
	if path == os.DevNull {
		return nil, nil
	}
	f, err := fetch.OpenRegular(path)
	if err == nil && leadsElsewhere(path) {
		err = fmt.Errorf("%s: a link that leads out of its folder, which is not followed", path)
	}
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, usagef("%s", err.Error())
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, usagef("%s", err.Error())
	}
	if len(data) > maxConfig {
		return nil, usagef("%s: larger than %d KiB", path, maxConfig>>10)
	}
	return data, nil
}

// leadsElsewhere tells of a link to a file outside of its folder: a pull request can make
// one to any file of the machine, of which errors would tell.
func leadsElsewhere(path string) bool {
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	file, errFile := filepath.EvalSymlinks(path)
	if err != nil || errFile != nil {
		return true
	}
	within, err := filepath.Rel(folder, file)
	return err != nil || !filepath.IsLocal(within)
}

// parseConfig reads a configuration file.
//
// Note: it walks the nodes instead of decoding into a struct, as every value is
// parsed where flags are, and errors there say the line. All faults are told at once.
func parseConfig(path string, data []byte) (c config, err error) {
	if path == "" {
		path = configPath
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return c, nil
	} else if err != nil {
		return c, usagef("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return c, usagef("%s: holds more than one document", path)
	}
	top := document.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return c, nil
	}
	c.said = map[string]given{}
	err = eachKey(path, top, func(at, name string, value *yaml.Node) error {
		switch {
		case name == "max":
			return parseBudget(at, value, &c.policy.Max)
		case name == "steps":
			return eachEntry(path, at, value, func(from string, entry *yaml.Node) error {
				rule, err := parseRule(path, from, entry)
				c.policy.Rules = append(c.policy.Rules, rule)
				return err
			})
		case name == "accept":
			return eachEntry(path, at, value, func(from string, entry *yaml.Node) error {
				acceptance, err := parseAcceptance(path, from, entry)
				c.policy.Accept = append(c.policy.Accept, acceptance)
				return err
			})
		case name == "dismiss":
			return eachEntry(path, at, value, func(from string, entry *yaml.Node) error {
				dismissal, err := parseDismissal(path, from, entry)
				c.dismiss = append(c.dismiss, dismissal)
				return err
			})
		}
		if err := allowedInConfig(at, name); err != nil {
			return err
		}
		values, ok := scalars(value, isOption(name, func(o option) bool { return o.many }))
		if !ok {
			return usagef("%s: %s wants a plain value", at, name)
		}
		c.said[name] = given{values, at + ": " + name}
		return nil
	})
	return c, err
}

// eachKey calls do for every "key: value" of a mapping, with the place of the key.
func eachKey(path string, node *yaml.Node, do func(at, name string, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		return usagef("%s:%d: want lines such as \"min-delta: 2s\"", path, node.Line)
	}
	var faults []error
	seen := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := fmt.Sprintf("%s:%d", path, key.Line)
		if seen[key.Value] {
			faults = append(faults, usagef("%s: %s is given a second time", at, key.Value))
			continue
		}
		seen[key.Value] = true
		faults = append(faults, do(at, key.Value, value))
	}
	return errors.Join(faults...)
}

// eachEntry calls do for every member of a list, with its place.
func eachEntry(path, at string, node *yaml.Node, do func(from string, entry *yaml.Node) error) error {
	if node.Kind != yaml.SequenceNode {
		return usagef("%s: want a list, each entry of which begins with \"- step: GLOB\"", at)
	}
	var faults []error
	for _, entry := range node.Content {
		faults = append(faults, do(fmt.Sprintf("%s:%d", path, entry.Line), entry))
	}
	return errors.Join(faults...)
}

// parseRule reads an entry of "steps".
func parseRule(path, from string, entry *yaml.Node) (detect.Rule, error) {
	rule := detect.Rule{From: from}
	err := eachKey(path, entry, func(at, name string, value *yaml.Node) error {
		text, err := plainValue(at, name, value)
		if err != nil {
			return err
		}
		switch name {
		case "step":
			rule.Step = glob.Pattern(text)
		case "ignore":
			rule.Ignore = redact.Text(text)
		case "min-slowdown":
			rule.MinSlowdown, err = parsePercent(given{[]string{text}, at + ": " + name})
			return err
		case "min-delta":
			return parseBudget(at, value, &rule.MinDelta)
		case "max":
			return parseBudget(at, value, &rule.Max)
		default:
			return usageError{masked("%s: unknown key %q", at, name), "a step has step, min-slowdown, min-delta, max and ignore (the reason why)"}
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
			a.Why = redact.Text(text)
		default:
			return usageError{masked("%s: unknown key %q", at, name), "an acceptance has step, since and why"}
		}
		return nil
	})
	if err == nil && (a.Step == "" || a.Since == "" || a.Why == "") {
		err = usageError{from + ": an acceptance says step, since which revision, and why", ""}
	}
	return a, err
}

// parseDismissal reads an entry of "dismiss".
func parseDismissal(path, from string, entry *yaml.Node) (advice.Dismissal, error) {
	d := advice.Dismissal{From: from}
	err := eachKey(path, entry, func(at, name string, value *yaml.Node) error {
		text, err := plainValue(at, name, value)
		if err != nil {
			return err
		}
		switch name {
		case "step":
			d.Step = glob.Pattern(text)
		case "kind":
			if d.Kind = advice.Kind(text); !slices.Contains(advice.Kinds, d.Kind) {
				return usagef("%s: kind: %.40q is not one of %q", at, text, advice.Kinds)
			}
		case "why":
			d.Why = redact.Text(text)
		default:
			return usageError{masked("%s: unknown key %q", at, name), "a dismissal has step, kind and why"}
		}
		return nil
	})
	if err == nil && (d.Step == "" || d.Why == "") {
		err = usageError{from + ": a dismissal says of which step, and why", "write \"- step: GLOB\" and \"why: …\", and \"kind: …\" for one kind of advice alone"}
	}
	return d, err
}

var revision = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// parseBudget reads a duration above zero.
func parseBudget(at string, node *yaml.Node, to *timeline.Seconds) error {
	d, err := parseDuration(node.Value)
	if node.Kind != yaml.ScalarNode || err != nil || d <= 0 {
		return usagef("%s: %.40q is not a duration, such as 90s or 5m", at, node.Value)
	}
	*to = timeline.Seconds(d)
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
	if isOption(name, func(o option) bool { return o.inFile }) {
		return nil
	}
	if isOption(name, func(option) bool { return true }) {
		return usageError{
			fmt.Sprintf("%s: %s cannot be set here: a pull request can change this file, so that it holds only how builds are judged", at, name),
			fmt.Sprintf("give --%s, or %s in the environment", name, variable(name)),
		}
	}
	return usageError{masked("%s: unknown key %q", at, name), "keys are " + strings.Join(slices.Concat(configKeys(), policyKeys), ", ")}
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
