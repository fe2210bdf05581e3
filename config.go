package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// configPath is read if it is there and no other is named.
const configPath = ".buildregress.yaml"

// maxConfig bounds the file: a pull request can change it, and a sensible one
// has a few lines.
const maxConfig = 64 << 10

// configKeys are the options that may stand in the file.
var configKeys = []string{"window", "min-history", "fdr", "min-slowdown", "min-delta", "fail-on"}

// addConfig adds what the configuration file says about options that neither a
// flag nor the environment speaks of.
func (s settings) addConfig() error {
	path := s.text("config")
	data, err := readConfig(path)
	if err != nil {
		return err
	}
	said, err := parseConfig(path, data)
	if err != nil {
		return err
	}
	for name, value := range said {
		if _, given := s[name]; !given {
			s[name] = value
		}
	}
	return nil
}

// readConfig reads the file at path, or the usual one, which need not exist, if
// path is "".
func readConfig(path string) ([]byte, error) {
	optional := path == ""
	if optional {
		path = configPath
	}
	f, err := os.Open(path)
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

// parseConfig reads a file of "option: value" lines.
//
// Note: it walks the nodes instead of decoding into a struct, as every value is
// parsed where flags are, and errors there say the line.
func parseConfig(path string, data []byte) (settings, error) {
	if path == "" {
		path = configPath
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err == io.EOF {
		return nil, nil
	} else if err != nil {
		return nil, usagef("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(new(yaml.Node)); err != io.EOF {
		return nil, usagef("%s: holds more than one document", path)
	}
	top := document.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return nil, nil
	}
	if top.Kind != yaml.MappingNode {
		return nil, usagef("%s:%d: want lines such as \"min-delta: 2s\"", path, top.Line)
	}
	said := settings{}
	for i := 0; i < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		at := fmt.Sprintf("%s:%d", path, key.Line)
		name := key.Value
		if err := allowedInConfig(at, name); err != nil {
			return nil, err
		}
		if _, twice := said[name]; twice {
			return nil, usagef("%s: %s is given a second time", at, name)
		}
		values, ok := scalars(value, name == "fail-on")
		if !ok {
			return nil, usagef("%s: %s wants a plain value", at, name)
		}
		said[name] = setting{values, at + ": " + name}
	}
	return said, nil
}

// allowedInConfig refuses keys that are none, and those of options that a pull
// request must not set.
func allowedInConfig(at, name string) error {
	if slices.Contains(configKeys, name) {
		return nil
	}
	if slices.ContainsFunc(checkOptions, func(o option) bool { return o.name == name }) {
		return usageError{
			fmt.Sprintf("%s: %s cannot be set here: a pull request can change this file, so that it holds only how builds are judged", at, name),
			fmt.Sprintf("give --%s, or %s in the environment", name, variable(name)),
		}
	}
	return usageError{fmt.Sprintf("%s: unknown key %q", at, name), "keys are " + strings.Join(configKeys, ", ")}
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
