package dockerfile

import (
	"path"
	"slices"
	"strings"
)

// What the commands of a RUN fetch, as far as its text tells: an index of packages, or what a
// file names. This is no shell: a text that is not plainly one of these means nothing.

// commands are the simple commands of a RUN, word by word, without its mounts; nil where the
// text is not plain.
func commands(text string) (all [][]string) {
	words := strings.Fields(text)
	if len(words) == 0 || words[0] != "RUN" {
		return nil
	}
	words = words[1:]
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		words = words[1:]
	}
	rest := strings.Join(words, " ")
	if strings.Contains(rest, "<<") || strings.HasPrefix(rest, "[") || strings.ContainsAny(rest, "`()") {
		return nil
	}
	for _, end := range []string{"&&", "||", ";", "|", "\n"} {
		rest = strings.ReplaceAll(rest, end, "\x00")
	}
	for _, command := range strings.Split(rest, "\x00") {
		words := strings.Fields(command)
		for len(words) > 0 && (words[0] == "sudo" || isAssignment(words[0])) {
			words = words[1:]
		}
		if len(words) > 0 {
			words[0] = path.Base(words[0])
			all = append(all, words)
		}
	}
	return all
}

// isAssignment tells whether a word gives a variable its value: NAME=value.
func isAssignment(word string) bool {
	name, _, found := strings.Cut(word, "=")
	return found && name != "" && strings.IndexFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
}

// CacheMounts are the folders of a RUN that are kept between builds, where the builder is.
func CacheMounts(text string) (targets []string) {
	for _, word := range strings.Fields(text) {
		mount, found := strings.CutPrefix(word, "--mount=")
		if !found {
			continue
		}
		target, isCache := "", false
		for _, field := range strings.Split(mount, ",") {
			switch key, value, _ := strings.Cut(field, "="); key {
			case "type":
				isCache = value == "cache"
			case "target", "dst", "destination":
				target = value
			}
		}
		if isCache && target != "" {
			targets = append(targets, target)
		}
	}
	return targets
}

// Index is the package manager whose index a RUN fetches each time that it runs, "" for none,
// and whether it leaves that index behind for the steps after it.
func Index(text string) (tool string, isLeft bool) {
	if len(CacheMounts(text)) > 0 {
		return "", false
	}
	all := commands(text)
	for _, c := range all {
		has := func(flags ...string) bool {
			return slices.ContainsFunc(c, func(word string) bool { return slices.Contains(flags, word) })
		}
		switch verb := verbOf(c); c[0] {
		case "apt", "apt-get":
			if verb == "update" {
				return "apt", !strings.Contains(text, "/var/lib/apt/lists")
			}
		case "apk":
			if verb == "update" {
				return "apk", !strings.Contains(text, "/var/cache/apk")
			}
			if verb == "add" && has("--no-cache") {
				return "apk", false
			}
		case "dnf", "microdnf", "yum":
			if verb == "install" || verb == "makecache" {
				return "dnf", !slices.ContainsFunc(all, func(c []string) bool { return verbOf(c) == "clean" })
			}
		}
	}
	return "", false
}

// verbOf is the first word after a command that is no flag.
func verbOf(command []string) string {
	for _, word := range command[1:] {
		if !strings.HasPrefix(word, "-") {
			return word
		}
	}
	return ""
}

// Needs are the files of the build context that a RUN needs, by their names in any folder, where
// all that it does is to install what they list, or what it names itself. It is false for any
// other.
func Needs(text string) (files []string, ok bool) {
	all := commands(text)
	installs := false
	for _, c := range all {
		needs, does, known := needsOf(c)
		if !known {
			return nil, false
		}
		installs = installs || does
		for _, file := range needs {
			if !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	return files, installs
}

// listed are the files that say what a command installs, by command and verb.
var listed = map[string][]string{
	"npm ci":           {"package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"},
	"npm install":      {"package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"},
	"yarn":             {"package.json", "yarn.lock", ".yarnrc", ".yarnrc.yml"},
	"yarn install":     {"package.json", "yarn.lock", ".yarnrc", ".yarnrc.yml"},
	"pnpm install":     {"package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", ".npmrc"},
	"pnpm fetch":       {"package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", ".npmrc"},
	"go mod":           {"go.mod", "go.sum", "go.work", "go.work.sum"}, // download
	"bundle install":   {"Gemfile", "Gemfile.lock"},
	"cargo fetch":      {"Cargo.toml", "Cargo.lock"},
	"composer install": {"composer.json", "composer.lock"},
}

// needsOf tells of one command which files it needs, whether it installs anything, and whether
// that is known.
func needsOf(c []string) (files []string, installs, known bool) {
	verb := verbOf(c)
	switch c[0] {
	case "set", "export", "cd", "echo", "mkdir", "rm", "true", "corepack":
		return nil, false, true
	case "apt", "apt-get", "apk", "dnf", "microdnf", "yum":
		for _, word := range c[1:] {
			if strings.ContainsAny(word, "/") || strings.HasSuffix(word, ".deb") || strings.HasSuffix(word, ".rpm") || strings.HasSuffix(word, ".apk") {
				return nil, false, false
			}
		}
		return nil, verb == "install" || verb == "add", true
	case "pip", "pip3":
		return pipNeeds(c[1:])
	case "python", "python3":
		if len(c) > 2 && c[1] == "-m" && c[2] == "pip" {
			return pipNeeds(c[3:])
		}
		return nil, false, false
	}
	name := strings.TrimSpace(c[0] + " " + verb)
	files, known = listed[name]
	for _, word := range c[1:] {
		if word == verb || strings.HasPrefix(word, "-") {
			continue
		}
		if name != "go mod" || word != "download" {
			return nil, false, false // packages, or a value of a flag
		}
	}
	if name == "go mod" && !slices.Contains(c, "download") {
		return nil, false, false
	}
	return files, known, known
}

// pipNeeds are the files that an installation by pip needs.
func pipNeeds(words []string) (files []string, installs, known bool) {
	if len(words) == 0 || !slices.Contains(words, "install") {
		return nil, false, false
	}
	for i, word := range words {
		value, isFile := strings.CutPrefix(word, "--requirement=")
		if i > 0 && (words[i-1] == "-r" || words[i-1] == "--requirement" || words[i-1] == "-c" || words[i-1] == "--constraint") {
			value, isFile = word, true
		}
		switch {
		case isFile:
			files = append(files, path.Base(value))
		case i > 0 && (words[i-1] == "--target" || words[i-1] == "-t" || words[i-1] == "--index-url" || words[i-1] == "-i" || words[i-1] == "--extra-index-url" || words[i-1] == "--prefix"):
		case word == "-e" || word == "--editable" || strings.HasPrefix(word, "./") || word == "." || strings.HasPrefix(word, ".[") || !strings.HasPrefix(word, "-") && strings.Contains(word, "/"):
			return nil, false, false // what stands in the context
		}
	}
	return files, true, true
}
