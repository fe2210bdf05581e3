package cli

import "strings"

// A commandLine is what was typed, as the flag parser understands it.
type commandLine struct {
	args   []string // command, flags that are known and have what they need, "--", the rest; nil if a flag stands for a command
	faults []error
	// isDoubtful is set where a flag is not known: what stands behind it may be its
	// value, and is taken for an argument.
	isDoubtful bool
}

// reorder puts the arguments into the order in which the flag parser, which stops at
// the first argument that is no flag, understands them. What stands behind a "--" is
// never a flag. A request for help anywhere among the flags becomes the help command.
//
// All flags that are not known, and all that lack their value, are told at once. The
// parser would take our "--" for a missing value: one that is "--" itself is given as in
// --branch=--.
func reorder(args []string) (line commandLine) {
	if len(args) == 0 {
		return line
	}
	name, args := args[0], args[1:]
	switch name {
	case "-h", "-help", "--help":
		return commandLine{args: append([]string{"help"}, args...)}
	case "-version", "--version":
		return commandLine{args: append([]string{"version"}, args...)}
	}
	known := commandNamed(name)
	if flag, _, _ := strings.Cut(strings.TrimLeft(name, "-"), "="); name[:min(len(name), 1)] == "-" && flag != "" {
		return commandLine{faults: []error{known.unknownFlag(flag)}}
	}
	line.args = []string{name}
	rest := []string{"--"}
	seen := map[string]bool{}
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
			return commandLine{args: []string{"help", name}}
		}
		if known == nil { // which is what is told
			line.args = append(line.args, arg)
			continue
		}
		o := known.flag(flag)
		if o != nil && !o.many && seen[flag] {
			line.faults = append(line.faults, usagef("--%s is given a second time", flag))
		}
		seen[flag] = true
		switch {
		case o == nil:
			line.faults = append(line.faults, known.unknownFlag(flag))
			line.isDoubtful = line.isDoubtful || !hasValue
		case o.toggle || hasValue:
			line.args = append(line.args, arg)
		case len(args) == 0 || args[0] == "--":
			line.faults = append(line.faults, usagef("--%s needs a value", flag))
		default:
			line.args = append(line.args, arg, args[0])
			args = args[1:]
		}
	}
	line.args = append(line.args, rest...)
	return line
}
