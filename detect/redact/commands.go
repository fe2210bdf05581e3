package redact

import (
	"cmp"
	"slices"
	"strings"
)

// A program is one that takes a password in a way that its name alone explains.
type program struct {
	login  string // one-letter flags whose value is user:password
	logins []string
	apart  string // what stands between the two, "" for ":"
	secret string // one-letter flags whose value is a password
	glued  string // those of them whose value stands right behind the letter alone
	either string // those whose value stands there, or is the next word
	flags  []string
	valued string // other one-letter flags that what follows is the value of
	// first tells that the first word that is no flag is user/password@where, and only
	// with "@" where it has a short name.
	first, short bool
}

// programs are known by their names. All others are told by names of flags.
var programs = func() map[string]program {
	all := map[string]program{
		"curl":    {login: "uUE", logins: []string{"--user", "--proxy-user", "--cert", "--proxy-cert"}, flags: []string{"--oauth2-bearer"}, valued: "ACDFHKPQTXYbcdemortwxyz"},
		"login":   {secret: "p"},
		"etcdctl": {logins: []string{"--user"}}, "mysqlsh": {glued: "p", logins: []string{"--uri"}},
		"smbclient": {login: "U", logins: []string{"--user"}, apart: "%"}, "rpcclient": {login: "U", logins: []string{"--user"}, apart: "%"},
		"lftp":    {login: "u", logins: []string{"--user"}, apart: ","},
		"swaks":   {flags: []string{"-ap"}},
		"nuget":   {secret: "pk"},
		"openssl": {secret: "k"}, "ssh-keygen": {secret: "NP"},
		"ldappasswd": {secret: "wsa"},
		"sql":        {first: true, short: true}, "exp": {first: true, short: true}, "imp": {first: true, short: true},
	}
	for names, p := range map[string]program{
		"http https xh xhs": {login: "a", logins: []string{"--auth"}},
		"sshpass publish mongosh mongo ncftpput ncftpget rabbitmqadmin exaplus hdbsql couchbase-cli beeline altool add-source unlock-keychain create-keychain": {secret: "p"}, // publish is of Poetry, add-source of NuGet
		"useradd usermod": {secret: "p"},
		"mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlshow mysqlslap mysql_upgrade mysqlpump mysqlbinlog": {glued: "p"},
		"mariadb mariadb-dump mariadb-admin mariadb-import mariadb-check mariadb-show":                              {glued: "p"},
		"7z 7za 7zr rar unrar": {glued: "p"},
		"twine mydumper myloader cqlsh cypher-shell mongodump mongorestore mongoexport mongoimport mongostat mongotop mongofiles bsondump": {either: "p"},
		"redis-cli": {secret: "a"},
		"ldapsearch ldapadd ldapmodify ldapdelete ldapmodrdn ldapwhoami ldapcompare": {secret: "w"},
		"sqlcmd bcp zip unzip": {either: "P"},
		"ipmitool isql tsql mosquitto_pub mosquitto_sub security": {secret: "P"},
		"vsql":                 {either: "w"},
		"vercel codecov doctl": {secret: "t"},
		"snmpget snmpset snmpwalk snmpbulkwalk snmpgetnext": {secret: "AX"},
		"sqlplus sqlldr expdp impdp rman sqlcl":             {first: true},
		// These take it as a word, see assigned.
		"rclone signtool nmcli db2 rabbitmqctl mosquitto_passwd": {},
	} {
		for name := range strings.FieldsSeq(names) {
			all[name] = p
		}
	}
	return all
}()

// commandHints are texts of which one stands in whatever redactCommands looks at, in
// lower case.
var commandHints = func() []string {
	hints := []string{
		"http", "login", "mysql", "mariadb", "ldap", "mongo", " set ", `"set"`, "http-basic", "config", "7z", "setx", "setenv", "snmp", "rar",
		"set-initial-password", "requirepass", "masterauth", "identified", "user_pw", "owner_pw", "snyk",
		"cf ", "wpa_passphrase", "mkpasswd", "mosquitto", "convertto-securestring", "from-literal", "password", "push", "userid=",
	}
	for name := range programs {
		if !slices.ContainsFunc(hints, func(hint string) bool { return strings.Contains(name, hint) }) {
			hints = append(hints, name)
		}
	}
	slices.Sort(hints) // and no map's order
	return hints
}()

// A reader goes through the words of commands.
type reader struct {
	text  string
	out   strings.Builder
	done  int // what of text is in out
	now   program
	known bool // now is that of a program
	name  string
	// args are how many words that are no flags stand behind its name.
	args int
	// ofSecret tells that what is made is a secret of Kubernetes.
	ofSecret bool
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
	r.now, r.known, r.name, r.args, r.ofSecret, r.before = program{}, false, "", 0, false, [3]string{}
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
	case r.assigns(bare), r.quotes(whole):
		next = r.mask(from)
	case r.literal(bare) > 0:
		next = r.mask(start + r.literal(bare))
	default:
		if user, password := r.slashed(bare); password > 0 {
			next = r.maskPart(start+user, password)
		}
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
		if name == "login" && slices.Contains([]string{"docker", "podman", "buildah", "skopeo", "nerdctl"}, r.before[2]) {
			p = program{either: "p"} // whose flags of one letter are no words
		}
		r.now, r.known, r.name, r.args = p, true, name, -1
		r.now.first = p.first && !slices.Contains(aboutFiles, r.before[2])
	}
	if bare[0] == '-' {
		return
	}
	r.args++
	r.ofSecret = r.ofSecret || bare == "secret" && r.before[2] == "create"
	r.before[0], r.before[1], r.before[2] = r.before[1], r.before[2], bare
}

// aboutFiles are commands that take the name of a program as that of a file.
var aboutFiles = strings.Fields("COPY ADD cp mv ls ln rm tar chmod chown mkdir install test which from")

// slashed is where the password of user/password@where begins in the word bare, and how long
// it is; 0 if it is no such word.
func (r *reader) slashed(bare string) (from, length int) {
	const named = "userid="
	isNamed := len(bare) > len(named) && strings.EqualFold(bare[:len(named)], named)
	if isNamed {
		from = len(named)
	}
	switch {
	case !r.now.first || bare[0] == '-' || bare[0] == '/' || bare[0] == '@' || bare[0] == '.':
		return 0, 0
	case !isNamed && r.args > 0 && !slices.Contains([]string{"target", "auxiliary", "catalog"}, strings.ToLower(r.before[2])):
		return 0, 0
	case !isNamed && strings.Contains(bare, "="), r.now.short && !isNamed && !strings.Contains(bare, "@"):
		return 0, 0
	}
	slash := strings.IndexByte(bare[from:], '/')
	if slash <= 0 {
		return 0, 0
	}
	from += slash + 1
	from += prefixLen(bare[from:], `\"'`)
	length = len(bare) - from
	if at := strings.IndexByte(bare[from:], '@'); at >= 0 {
		length = at
	}
	length = len(strings.TrimRight(bare[from:from+length], `\"'`))
	if length == 0 || isHarmless(bare[from:from+length]) {
		return 0, 0
	}
	return from, length
}

// literal is where the value begins in --from-literal=NAME=VALUE of a secret, 0 if the word
// bare is none.
func (r *reader) literal(bare string) int {
	const flag = "--from-literal="
	if !r.ofSecret || !strings.HasPrefix(bare, flag) {
		return 0
	}
	if at := strings.IndexByte(bare[len(flag):], '='); at > 0 && len(flag)+at+1 < len(bare) {
		return len(flag) + at + 1
	}
	return 0
}

// quotes tells whether the word whole, a text of SQL, is the password that the words before
// speak of: PASSWORD 'VALUE', IDENTIFIED BY VALUE.
func (r *reader) quotes(whole string) bool {
	isQuoted := strings.IndexByte(`\'"`, whole[0]) >= 0
	first, before, name := strings.ToLower(r.before[0]), strings.ToLower(r.before[1]), strings.ToLower(r.before[2])
	switch {
	case name == "by" && before == "identified":
		return isQuoted || !isWord(strings.TrimRight(whole, ";.")) // of a sentence
	case name == "by" && first == "with", name == "password" && slices.Contains([]string{"with", "encrypted", "unencrypted", "login", "set"}, before):
		return isQuoted
	}
	return false
}

// assigned tells of programs that take a password as one of their words, and of the like.
func (r *reader) assigned(name string) bool {
	switch r.name {
	case "rclone":
		return name == "pass" && r.args > 3
	case "signtool":
		return name == "/p"
	case "nmcli":
		return name == "password"
	case "db2":
		return name == "using"
	case "rabbitmqctl":
		return r.args == 2 && (r.before[1] == "add_user" || r.before[1] == "change_password")
	case "isql", "mosquitto_passwd":
		return r.args == 2
	}
	return slices.Contains([]string{"set-initial-password", "requirepass", "masterauth", "user_pw", "owner_pw", "mkpasswd"}, name) ||
		strings.EqualFold(name, "ConvertTo-SecureString") || r.before[1] == "wpa_passphrase" ||
		r.before[1] == "snyk" && name == "auth" || r.before[0] == "cf" && r.before[1] == "auth"
}

// assigns tells whether the word bare is the value of what the words before name:
// "config set NAME VALUE", "http-basic.HOST USER VALUE".
func (r *reader) assigns(bare string) bool {
	name := r.before[2]
	switch {
	case bare[0] == '-', name == "":
		return false
	case r.assigned(name):
		return true
	case r.before[0] == "nuget" && r.before[1] == "push":
		return !strings.ContainsAny(bare, "*/\\") && !strings.HasSuffix(bare, ".nupkg")
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
	if slices.Contains(r.now.flags, bare) {
		return r.following(to)
	}
	if bare[1] == '-' {
		name, _, assigned := strings.Cut(bare, "=")
		if !slices.Contains(r.now.logins, name) {
			return 0
		}
		if at := r.following(to); name == "--uri" && at > 0 && !strings.Contains(r.text[at:wordEnd(r.text, at)], "@") {
			return 0 // a host and a port
		}
		if assigned {
			return r.login(start + len(name) + 1)
		}
		return r.login(r.following(to))
	}
	switch {
	case len(bare) > 3 && r.name == "rar" && strings.HasPrefix(bare, "-hp"):
		return start + 3
	case len(bare) > 2 && strings.IndexByte(r.now.glued+r.now.either, bare[1]) >= 0:
		return start + 2 + prefixLen(bare[2:], "=")
	case strings.IndexByte(r.now.either, bare[1]) >= 0:
		return r.following(to)
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
	if end := at + quote + length; r.now.apart == "," && end+1 < len(r.text) && r.text[end] == ',' && !isBlank(r.text[end+1]) {
		return end + 1
	}
	user, password, ok := strings.Cut(r.text[at+quote:at+quote+length], cmp.Or(r.now.apart, ":"))
	if !ok || strings.HasPrefix(user, "$") || password == "" || isHarmless(password) {
		return 0
	}
	return at
}

// maskPart masks so many bytes of a word, and returns where they end.
func (r *reader) maskPart(from, length int) (end int) {
	if from < r.done {
		return from
	}
	r.out.WriteString(r.text[r.done:from])
	r.out.WriteString(masked)
	r.done = from + length
	return r.done
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
	return r.maskPart(from, length)
}
