package redact

import (
	"slices"
	"strings"
)

// A program is one that takes a password in a way that its name alone explains.
type program struct {
	login  string // one-letter flags whose value is user:password
	logins []string
	secret string // one-letter flags whose value is a password
	glued  string // those of them whose value stands right behind the letter alone
	valued string // other one-letter flags that what follows is the value of
}

// programs are known by their names. All others are told by names of flags.
var programs = map[string]program{
	"curl":      {login: "uU", logins: []string{"--user", "--proxy-user"}, valued: "ACDEFHKPQTXYbcdemortwxyz"},
	"http":      {login: "a", logins: []string{"--auth"}},
	"https":     {login: "a", logins: []string{"--auth"}},
	"login":     {secret: "p"},
	"sshpass":   {secret: "p"},
	"twine":     {secret: "p"},
	"mysql":     {glued: "p"},
	"mysqldump": {glued: "p"}, "mysqladmin": {glued: "p"}, "mysqlimport": {glued: "p"}, "mysqlcheck": {glued: "p"},
	"mariadb": {glued: "p"}, "mariadb-dump": {glued: "p"}, "mariadb-admin": {glued: "p"},
	"redis-cli":  {secret: "a"},
	"smbclient":  {logins: []string{"--user"}},
	"ldapsearch": {secret: "w"}, "ldapadd": {secret: "w"}, "ldapmodify": {secret: "w"},
	"sqlcmd":     {secret: "P"},
	"ipmitool":   {secret: "P"},
	"mongosh":    {secret: "p"},
	"mongo":      {secret: "p"},
	"mongodump":  {secret: "p"},
	"add-source": {secret: "p"}, // of NuGet
	"nuget":      {secret: "p"},
	"zip":        {secret: "P"}, "unzip": {secret: "P"},
	"7z": {glued: "p"}, "7za": {glued: "p"}, "7zr": {glued: "p"},
	"useradd": {secret: "p"}, "usermod": {secret: "p"},
}

// commandHints are texts of which one stands in whatever redactCommands looks at, in
// lower case.
var commandHints = []string{
	"curl", "http", "login", "sshpass", "twine", "mysql", "mariadb", "redis-cli", "smbclient", "ldap", "sqlcmd",
	"ipmitool", "mongo", "add-source", " set ", `"set"`, "http-basic", "config", "nuget", "zip", "7z", "useradd", "usermod", "setx", "setenv",
}

// A reader goes through the words of commands.
type reader struct {
	text  string
	out   strings.Builder
	done  int // what of text is in out
	now   program
	known bool // now is that of a program
	// before are the words before, without flags, the last one at the end.
	before [3]string
}

// redactCommands masks what programs take as a password without saying so by a name.
// Words are what stands between spaces, quotes and brackets taken off: commands are
// quoted in commands.
func redactCommands(text, lower string) string {
	if !slices.ContainsFunc(commandHints, func(hint string) bool { return strings.Contains(lower, hint) }) {
		return text
	}
	r := reader{text: text}
	for at := 0; at < len(text); {
		if isBlank(text[at]) {
			if text[at] == '\n' && !strings.HasSuffix(strings.TrimRight(text[max(0, at-2):at], "\r"), `\`) {
				r.end()
			}
			at++
			continue
		}
		if isOperator(text[at]) {
			r.end()
			at++
			continue
		}
		end := wordEnd(text, at)
		at = max(r.word(at, end), end)
	}
	if r.done == 0 {
		return text
	}
	r.out.WriteString(text[r.done:])
	return r.out.String()
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' }

// end is that of a command.
func (r *reader) end() {
	r.now, r.known, r.before = program{}, false, [3]string{}
}

// wordEnd is where the word ends that begins at a place: at a blank or an operator. In
// quotes and addresses, ";", "&" and "|" are none.
func wordEnd(text string, at int) int {
	isPlain := text[at] != '"' && text[at] != '\''
	end := at + 1
	for ; end < len(text) && !isBlank(text[end]); end++ {
		isPair := end+1 < len(text) && text[end] == text[end+1] && text[end] != ';'
		if isOperator(text[end]) && (isPair || isPlain && text[end] != '&') {
			break
		}
		isPlain = isPlain && !strings.HasPrefix(text[end:], "://")
	}
	return end
}

// word looks at a word, and returns where to go on.
func (r *reader) word(from, to int) (next int) {
	whole := r.text[from:to]
	const around = "\"'`()[]{}\\"
	bare := strings.Trim(whole, around)
	if bare == "" {
		return to
	}
	start := from + strings.Index(whole, bare)
	next = to
	switch at := r.secretOf(bare, start, to); {
	case at > 0:
		next = r.mask(at)
	case r.assigns(bare):
		next = r.mask(from)
	}
	r.remember(bare)
	return max(next, to)
}

func isOperator(c byte) bool { return c == '|' || c == ';' || c == '&' }

// remember keeps what later words are read by.
func (r *reader) remember(bare string) {
	name := bare[strings.LastIndexByte(bare, '/')+1:]
	// The value of a flag of curl may have the name of another.
	if p, ok := programs[name]; ok && r.now.login == "" && !strings.Contains(bare, "://") {
		r.now, r.known = p, true
	}
	if bare[0] == '-' {
		return
	}
	r.before[0], r.before[1], r.before[2] = r.before[1], r.before[2], bare
}

// assigns tells whether the word bare is the value of what the words before name:
// "config set NAME VALUE", "http-basic.HOST USER VALUE".
func (r *reader) assigns(bare string) bool {
	name := r.before[2]
	switch {
	case bare[0] == '-', name == "":
		return false
	case strings.HasPrefix(r.before[1], "http-basic.") || strings.HasPrefix(r.before[1], "bitbucket-oauth."):
		return true
	case (r.before[1] == "vault" || r.before[1] == "cargo") && name == "login", name == "setapikey":
		return true
	case r.before[0] == "bundle" && r.before[1] == "config" && strings.Contains(bare, ":") && !strings.Contains(bare, "://"):
		return true
	case strings.HasPrefix(name, "pypi-token."), strings.HasPrefix(name, "gitlab-token.") || strings.HasPrefix(name, "github-oauth.") || strings.HasPrefix(name, "bearer."):
		return true
	case r.before[1] == "set" || r.before[1] == "config" || r.before[1] == "setenv" || r.before[1] == "setx":
		secret, ends := isSecretName(name[strings.LastIndexAny(name, ":/.")+1:])
		return secret && ends || strings.HasSuffix(strings.ToLower(name), ".extraheader") && !isHarmless(bare)
	}
	return false
}

// secretOf is where the secret begins that the flag bare, which begins at start, is
// followed by, 0 if none does. The word that it stands in ends at to.
func (r *reader) secretOf(bare string, start, to int) int {
	if !r.known || len(bare) < 2 || bare[0] != '-' {
		return 0
	}
	if bare[1] == '-' {
		name, _, assigned := strings.Cut(bare, "=")
		if !slices.Contains(r.now.logins, name) {
			return 0
		}
		if assigned {
			return r.login(start + len(name) + 1)
		}
		return r.login(r.following(to))
	}
	if strings.IndexByte(r.now.glued, bare[1]) >= 0 && len(bare) > 2 {
		return start + 2
	}
	for i := 1; i < len(bare); i++ {
		c := bare[i]
		isLogin, isSecret := strings.IndexByte(r.now.login, c) >= 0, strings.IndexByte(r.now.secret, c) >= 0
		switch {
		case !isLogin && !isSecret:
			// A value begins, and "-port" is no "-p".
			if c < 'A' || c > 'z' || r.now.login == "" || strings.IndexByte(r.now.valued, c) >= 0 {
				return 0
			}
		case i == len(bare)-1:
			at := r.following(to)
			if isLogin {
				return r.login(at)
			}
			return at
		case isLogin:
			return r.login(start + i + 1)
		case i == 1 && (bare[2] == '=' || r.isSshpass()):
			return start + 2 + prefixLen(bare[2:], "=")
		default:
			return 0
		}
	}
	return 0
}

// isSshpass tells of the one program here whose -p is followed by the password at once.
func (r *reader) isSshpass() bool { return r.now.secret == "p" && r.before[2] == "sshpass" }

// following is where the word behind one that ends at to begins, 0 if none does.
func (r *reader) following(to int) int {
	const gap = " \t,\"'"
	at := to
	for at < len(r.text) && (strings.IndexByte(gap, r.text[at]) >= 0 || strings.HasPrefix(r.text[at:], "\\\n")) {
		if r.text[at] == '\\' {
			at++
		}
		at++
	}
	// The quote in front says where the word ends.
	if at > to && strings.IndexByte(`"'`, r.text[at-1]) >= 0 {
		at--
	}
	if at == to || at >= len(r.text) || r.text[at] == '-' {
		return 0
	}
	return at
}

// login is at, if what begins there is a user and a password.
func (r *reader) login(at int) int {
	if at == 0 || at >= len(r.text) {
		return 0
	}
	quote, length := valueLen(r.text[at:])
	user, password, ok := strings.Cut(r.text[at+quote:at+quote+length], ":")
	if !ok || strings.HasPrefix(user, "$") || password == "" || isHarmless(password) {
		return 0
	}
	return at
}

// mask masks the value that begins at a place, and returns where it ends.
func (r *reader) mask(at int) (end int) {
	if at < r.done || at >= len(r.text) {
		return at
	}
	quote, length := valueLen(r.text[at:])
	from := at + quote
	if length == 0 || isHarmless(r.text[from:from+length]) {
		return at
	}
	r.out.WriteString(r.text[r.done:from])
	r.out.WriteString(masked)
	r.done = from + length
	return r.done
}
