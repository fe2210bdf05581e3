package cli

import (
	"errors"
	"strings"
)

// reorder puts the arguments into the order in which the flag parser, which stops at
// the first argument that is no flag, understands them: command, flags, "--", the rest.
// What stands behind a "--" is never a flag. A request for help anywhere among the flags
// becomes the help command.
//
// All flags that are not known, and all that lack their value, are told at once. The
// parser would take our "--" for a missing value: one that is "--" itself is given as in
// --branch=--.
func reorder(args []string) ([]string, error) {
	if len(args) == 0 {
		return nil, nil
	}
	name, args := args[0], args[1:]
	switch name {
	case "-h", "-help", "--help":
		return append([]string{"help"}, args...), nil
	case "-version", "--version":
		return append([]string{"version"}, args...), nil
	}
	known := commandNamed(name)
	flags, rest := []string{name}, []string{"--"}
	var faults []error
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			rest = append(rest, args...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' { // "-" is standard input
			rest = append(rest, arg)
			continue
		}
		flag, _, hasValue := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		if flag == "h" || flag == "help" {
			return []string{"help", name}, nil
		}
		flags = append(flags, arg)
		if known == nil { // the parser tells
			continue
		}
		o := known.flag(flag)
		switch {
		case o == nil:
			faults = append(faults, known.unknownFlag(flag))
		case o.toggle || hasValue:
		case len(args) == 0 || args[0] == "--":
			faults = append(faults, usagef("--%s needs a value", flag))
		default:
			flags = append(flags, args[0])
			args = args[1:]
		}
	}
	return append(flags, rest...), errors.Join(faults...)
}
