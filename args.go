package main

import "strings"

// arrange puts the arguments into the order in which the flag parser, which
// stops at the first argument that is no flag, understands them: command,
// flags, "--", the rest. What stands behind a "--" is never a flag. A request
// for help anywhere among the flags becomes the help command.
//
// It is an error if a flag lacks its value: the parser would take our "--" for
// it. A value that is "--" itself is given as in --branch=--.
func arrange(args []string) ([]string, error) {
	if len(args) == 0 {
		return nil, nil
	}
	command, args := args[0], args[1:]
	switch command {
	case "-h", "-help", "--help":
		return append([]string{"help"}, args...), nil
	case "-version", "--version":
		return append([]string{"version"}, args...), nil
	}
	values := takesValue(command)
	flags, rest := []string{command}, []string{"--"}
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
		flags = append(flags, arg)
		name, _, hasValue := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		if name == "h" || name == "help" {
			return []string{"help", command}, nil
		}
		if values[name] && !hasValue {
			if len(args) == 0 || args[0] == "--" {
				return nil, usagef("--%s needs a value", name)
			}
			flags = append(flags, args[0])
			args = args[1:]
		}
	}
	return append(flags, rest...), nil
}

// takesValue says of a command's flags which are followed by a value.
func takesValue(command string) map[string]bool {
	values := map[string]bool{}
	for _, c := range commands {
		if c.name == command {
			for _, o := range c.options {
				values[o.name] = !o.toggle && !o.secret
			}
		}
	}
	return values
}
