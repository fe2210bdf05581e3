package redact

import (
	"strings"
	"testing"
)

// TestForms checks that no value shows in any way in which programs take one.
func TestForms(t *testing.T) {
	for _, text := range []string{
		// As arguments.
		`RUN curl "https://h/?a=1&b=2" -u me:HUNTERX`,
		`RUN curl 'https://h/;x|y' -u me:HUNTERX https://h`,
		`RUN ["x","--password","HUNTERX"]`,
		`RUN ["x", "--password", "HUNTERX"]`,
		`RUN ["sh","-c","x --token HUNTERX"]`,
		`RUN ["curl","-u","me:HUNTERX","https://h"]`,
		`RUN curl -sSLu me:HUNTERX https://h`,
		`RUN curl -sSLume:HUNTERX https://h`,
		`RUN curl -u a:pw1HUNTERX --proxy-user p:HUNTERX https://h`,
		`RUN curl --user=me:HUNTERX -U p:HUNTERX https://h`,
		`RUN /usr/bin/curl https://h/login -u me:HUNTERX`,
		"RUN curl \\\n  -fsSL \\\n  -u me:HUNTERX \\\n  https://h",
		`RUN sh -c "curl -u me:HUNTERX https://h"`,
		`RUN sh -c 'curl -u "me:HUNTERX x" https://h'`,
		`RUN x && curl -u me:HUNTERX h||curl -u me:HUNTERX h`,
		`RUN http -a me:HUNTERX GET h`,
		`RUN docker login -u me -p HUNTERX r.example && docker login -p "HUNTERX" r`,
		`RUN az login --service-principal -u x -p HUNTERX --tenant t`,
		`RUN sshpass -p HUNTERX ssh h; sshpass -pHUNTERX ssh h; sshpass -p 'HUNTERX x' ssh h`,
		`RUN mysqldump -u root -pHUNTERX db`,
		`RUN redis-cli -a HUNTERX ping`,
		`RUN npm config set //npm.example.org/:_authToken HUNTERX`,
		`RUN npm config set _auth HUNTERX`,
		`RUN yarn config set npmAuthToken HUNTERX`,
		`RUN aws configure set aws_secret_access_key HUNTERX`,
		`RUN aws configure set aws_secret_access_key HUNTERX --profile x`,
		`RUN composer config http-basic.repo.example me HUNTERX`,
		`RUN composer config github-oauth.github.com HUNTERX`,
		`RUN git config --global http.https://h/.extraheader "AUTHORIZATION: basic HUNTERXx1xxxxxxxxx=="`,
		`RUN keytool -storepass HUNTERX -keypass HUNTERX -list`,
		`RUN openssl enc -passin pass:HUNTERX -in a`,
		`RUN echo "machine h.example login me password HUNTERX" > ~/.netrc`,
		`RUN printf 'machine h\nlogin me\npassword HUNTERX\n' > ~/.netrc`,
		"RUN cat > ~/.netrc <<E\nmachine h\n  login me\n  password HUNTERX\nE",
		`RUN echo HUNTERX | docker login -u me --password-stdin r.example`,
		`RUN echo "me:HUNTERX" | chpasswd`,
		`RUN htpasswd -bc file me HUNTERX`,
		`RUN zip -P HUNTERX x.zip y && unzip -P HUNTERX x.zip && 7z a -pHUNTERX x y`,
		`RUN useradd -p HUNTERX me`,
		`RUN setx NPM_TOKEN HUNTERX`,
		`RUN dotnet nuget add source u -n x -u me -p HUNTERX`,
		`RUN nuget setapikey HUNTERX -source x`,
		`RUN vault login HUNTERX && cargo login HUNTERX`,
		`RUN poetry config pypi-token.pypi HUNTERX`,
		`RUN bundle config gems.example me:HUNTERX`,
		// Of databases, servers and tools.
		`RUN sqlplus me/HUNTERX@db @x.sql`,
		`RUN sqlplus -s user/HUNTERX@//host:1521/db`,
		`RUN sqlplus -S -L system/HUNTERX @/x.sql`,
		`RUN sqlplus "sys/HUNTERX as sysdba"`,
		`RUN sqlplus -s me/\"HUNTERX\"@db`,
		`RUN ["sqlplus","me/HUNTERX@db"]`,
		`RUN echo "select 1;" | sqlplus -s me/HUNTERX@db`,
		`RUN sqlldr me/HUNTERX@db control=x.ctl`,
		`RUN sqlldr userid=me/HUNTERX@db control=x.ctl`,
		`RUN expdp me/HUNTERX@db directory=d`,
		`RUN impdp system/HUNTERX directory=d`,
		`RUN imp userid=me/HUNTERX@db file=x`,
		`RUN rman target sys/HUNTERX@db`,
		`RUN sql me/HUNTERX@//host/db`,
		`RUN tnsping db && sqlplus me/HUNTERX`,
		`RUN mongodump -u me -pHUNTERX`,
		`RUN mongorestore -p HUNTERX`,
		`RUN mongoexport -p HUNTERX`,
		`RUN mongostat -p HUNTERX`,
		`RUN mysqlsh --uri me:HUNTERX@h`,
		`RUN mysqlsh -u me -pHUNTERX`,
		`RUN mysqlshow -pHUNTERX`,
		`RUN mysqlslap -pHUNTERX`,
		`RUN mysql_upgrade -pHUNTERX`,
		`RUN mysqlpump -pHUNTERX`,
		`RUN mysqlbinlog -pHUNTERX`,
		`RUN mydumper -p HUNTERX`,
		`RUN myloader -p HUNTERX`,
		`RUN sqlcmd -S h -U sa -PHUNTERX`,
		`RUN bcp t in f -U sa -P HUNTERX`,
		`RUN bcp t in f -U sa -PHUNTERX`,
		`RUN isql dsn me HUNTERX`,
		`RUN tsql -S h -U me -P HUNTERX`,
		`RUN db2 connect to db user me using HUNTERX`,
		`RUN cqlsh -u me -p HUNTERX`,
		`RUN cqlsh h -u me -p 'HUNTERX'`,
		`RUN cypher-shell -u neo4j -p HUNTERX`,
		`RUN neo4j-admin set-initial-password HUNTERX`,
		`RUN neo4j-admin dbms set-initial-password HUNTERX`,
		`RUN redis-server --requirepass HUNTERX`,
		`RUN redis-cli config set requirepass HUNTERX`,
		`RUN echo "requirepass HUNTERX" >> redis.conf`,
		`RUN rabbitmqctl add_user me HUNTERX`,
		`RUN rabbitmqctl change_password me HUNTERX`,
		`RUN rabbitmqadmin -u me -p HUNTERX list`,
		`RUN ldappasswd -D cn=x -w HUNTERX -s HUNTERX`,
		`RUN ldapdelete -w HUNTERX`,
		`RUN kinit -p x; echo HUNTERX | kinit me`,
		`RUN smbclient //h/s -U me%HUNTERX`,
		`RUN smbclient //h/s --user=me%HUNTERX`,
		`RUN lftp -u me,HUNTERX ftp://h`,
		`RUN lftp -e "x" -u me,HUNTERX h`,
		`RUN ncftpput -u me -p HUNTERX h / f`,
		`RUN openssl enc -k HUNTERX -in x`,
		`RUN echo HUNTERX | gpg --passphrase-fd 0 x`,
		`RUN buildah login -u me -pHUNTERX r`,
		`RUN kubectl create secret generic x --from-literal=a=HUNTERX`,
		`RUN cf auth me HUNTERX`,
		`RUN mvn -Dsonar.login=HUNTERX deploy`,
		`RUN jdbc:oracle:thin:me/HUNTERX@host:1521:db`,
		`RUN x jdbc:oracle:thin:me/HUNTERX@//host:1521/db`,
		`RUN twine upload -u me -pHUNTERX dist/*`,
		`RUN poetry publish -u me -p HUNTERX`,
		`RUN dotnet nuget push x -k HUNTERX -s u`,
		`RUN nuget push x HUNTERX -Source u`,
		`RUN vercel -t HUNTERX deploy`,
		`RUN snyk auth HUNTERX`,
		`RUN doctl auth init -t HUNTERX`,
		`RUN codecov -t HUNTERX`,
		`RUN plutil x; security unlock-keychain -p HUNTERX x`,
		`RUN security import x.p12 -P HUNTERX -A`,
		`RUN signtool sign /f x.pfx /p HUNTERX x`,
		`RUN productsign x; xcrun altool -u me -p HUNTERX`,
		`RUN unrar x -pHUNTERX x.rar`,
		`RUN rar a -hpHUNTERX x`,
		`RUN unzip -PHUNTERX x.zip`,
		`RUN pdftk x user_pw HUNTERX`,
		`RUN chpasswd <<< "root:HUNTERX"`,
		`RUN echo -e "HUNTERX\nHUNTERX" | passwd root`,
		`RUN echo HUNTERX | passwd --stdin root`,
		`RUN echo HUNTERX | sudo -S make`,
		`RUN mkpasswd HUNTERX`,
		`RUN htpasswd -nb me HUNTERX`,
		`RUN snmpget -v3 -u me -A HUNTERX -X HUNTERX h`,
		`RUN wpa_passphrase ssid HUNTERX`,
		`RUN nmcli dev wifi connect x password HUNTERX`,
		`RUN net user me HUNTERX /add`,
		`RUN ConvertTo-SecureString "HUNTERX" -AsPlainText -Force`,
		`RUN psql -c "ALTER USER me WITH PASSWORD 'HUNTERX'"`,
		`RUN mysql -e "CREATE USER me IDENTIFIED BY 'HUNTERX'"`,
		`RUN sqlplus / as sysdba <<< "alter user x identified by HUNTERX;"`,
		`RUN createuser x; psql -c "create role x login encrypted password 'HUNTERX'"`,
		`RUN curl -H "Cookie: session=HUNTERX0123456789" https://h`,
		`RUN curl -E cert.pem:HUNTERX https://h`,
		`RUN curl --cert cert.p12:HUNTERX --pass HUNTERX https://h`,
		`RUN curl --oauth2-bearer HUNTERX https://h`,
		`RUN xh -a me:HUNTERX https://h`,
		`RUN sshpass -e ssh x; SSHPASS=HUNTERX sshpass -e ssh h`,
		`RUN rclone config create x sftp pass HUNTERX`,
		`RUN cryptsetup; echo -n HUNTERX | cryptsetup luksOpen x y -`,
		`RUN ssh-keygen -t rsa -N HUNTERX -f x`,
		`RUN ssh-keygen -p -P HUNTERX -N "HUNTERX" -f x`,
		`RUN etcdctl --user root:HUNTERX get x`,
		`RUN mosquitto_pub -u me -P HUNTERX -t x`,
		`RUN mosquitto_passwd -b f me HUNTERX`,
		`RUN swaks -au me -ap HUNTERX`,
		`RUN isql -U me -P HUNTERX`,
		`RUN vsql -U me -w HUNTERX`,
		`RUN exaplus -u me -p HUNTERX`,
		`RUN hdbsql -u me -p HUNTERX`,
		`RUN couchbase-cli x -u me -p HUNTERX`,
		`RUN impala-shell; beeline -u x -n me -p HUNTERX`,
		// By names.
		`ARG GH_PAT=HUNTERX`,
		`ENV ROOT_PW=HUNTERX DB_CREDS=HUNTERX NEXUS_CRED=HUNTERX`,
		`ENV ROOT_PW HUNTERX`,
		`RUN curl https://h/?key=HUNTERX1x https://h/?a=b&key=HUNTERX1x https://h/?api_key=HUNTERX`,
		`RUN ADMIN_PASSCODE=HUNTERX x`,
		`RUN x --auth-token HUNTERX --pat HUNTERX --db-pw HUNTERX`,
		"RUN x --password \\\n  HUNTERX",
		// By their own form.
		"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nHUNTERX\n-----END PGP PRIVATE KEY BLOCK-----",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nHUNTERX",
	} {
		got := Text(text)
		if strings.Contains(got, "HUNTERX") {
			t.Errorf("Text(%q)\n   = %q", text, got)
		}
		if again := Text(got); again != got {
			t.Errorf("masking twice changes %q to %q", got, again)
		}
	}
}

// TestTokens checks each of the prefixes, and that a part of a word is none.
func TestTokens(t *testing.T) {
	chance := map[class]string{
		alnum: "x7Kq9ZtR2mWv4LpB8nYc", wordy: "x7Kq9ZtR2mWv4LpB8nYc", dotted: "x7Kq9ZtR2mWv4LpB8nYc", base64s: "x7Kq9ZtR2mWv4LpB8nYc",
		hex: "9f86d081884c7d659a2f", upper: "X7KQ9ZTR2MWV4LPB8NYC",
	}
	for _, f := range tokenForms {
		token := f.prefix + strings.Repeat(chance[f.class], 8)[:f.least]
		for _, text := range []string{"RUN x " + token, "RUN x=" + token + " y", `{"a":"` + token + `"}`, "https://h/" + token + "/x"} {
			if got := Text(text); strings.Contains(got, token) {
				t.Errorf("Text(%q) = %q", text, got)
			}
		}
		if text := "RUN x" + token; redactForms(text) != text {
			t.Errorf("a part of a word is taken for a token: %q", redactForms(text))
		}
	}
	for _, token := range []string{
		"abc8Q~abcdefghijklmnopqrstuvwxyz0123456789", "123456789:AAF-abcdefghijklmnopqrstuvwxyz0123456",
		"abcdefghij1234.atlasv1." + strings.Repeat("x7Kq9Z", 10), strings.Repeat("x7Kq9Z", 12) + "AZDO4abc",
		"0123456789abcdef0123456789abcdef-us12",
	} {
		if got := Text("RUN x " + token); strings.Contains(got, token) {
			t.Errorf("Text(%q) = %q", token, got)
		}
	}
}

// TestOwn checks that what the process has to keep secret is cut out in all the ways in
// which it may be written, and short values only where they are words.
func TestOwn(t *testing.T) {
	defer forget()
	const secret = `x/y+z "q"&correct horse`
	if short := Own(secret, "", "abc", "rosebud", "first line\nsecond line", "***"); len(short) != 1 || short[0] != "abc" {
		t.Errorf("too short: %q", short)
	}
	for _, text := range []string{
		secret, "a" + secret + "b",
		"x%2Fy%2Bz+%22q%22%26correct+horse", "x%2fy%2bz+%22q%22%26correct+horse", "x%2Fy+z%20%22q%22&correct%20horse",
		`{"a":"x/y+z \"q\"\u0026correct horse"}`,
		"eC95K3ogInEiJmNvcnJlY3QgaG9yc2U=",             // it
		"bWU6eC95K3ogInEiJmNvcnJlY3QgaG9yc2U=",         // me:it
		"dXNlcjp4L3kreiAicSImY29ycmVjdCBob3JzZQ==",     // user:it
		"YWRtaW46eC95K3ogInEiJmNvcnJlY3QgaG9yc2UgYQ==", // admin:it a
		"the rosebud.", "rosebud rosebud rosebud", "first line", "x second liney",
	} {
		got := Exact(text)
		if !strings.Contains(got, masked) {
			t.Errorf("Exact(%q) = %q", text, got)
		}
		for _, part := range []string{"correct", "rosebud", "ZWN0IGhvcn", "line", "Y29ycmVjdC"} {
			if strings.Contains(got, part) {
				t.Errorf("Exact(%q) = %q", text, got)
			}
		}
		if Text(text) == text || Shapes(text) == text {
			t.Errorf("Text or Shapes leaves %q", text)
		}
	}
	for _, text := range []string{"rosebuds", "abc", "hors", "x/y"} {
		if got := Exact(text); got != text {
			t.Errorf("Exact(%q) = %q", text, got)
		}
	}
}

// forget undoes Own.
func forget() {
	own.Lock()
	defer own.Unlock()
	own.values = nil
	own.cutter.Store(nil)
}

// FuzzMask puts a secret into each of several commands, between texts of any kind.
func FuzzMask(f *testing.F) {
	f.Add("RUN x ", " y")
	f.Add("RUN curl -u a:b ", " -x")
	f.Add("[\"a\",", ",\"b\"]")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "hunter2HUNTERX"
		// A quote that is open, an escape or a name in front make something else of it: the
		// command stands by itself.
		before = strings.Map(func(r rune) rune {
			if strings.ContainsRune("\"'\\`", r) {
				return -1
			}
			return r
		}, before)
		if before != "" {
			before += " "
		}
		if after != "" {
			after = " " + after
		}
		for _, command := range []string{"curl -u me:", "curl -u a:b --proxy-user me:", "curl -sSLu me:", "PASSWORD=", "x --password=", "ARG GH_PAT="} {
			if got := Text(before + command + secret + after); strings.Contains(got, secret) {
				t.Errorf("%q shows between %q and %q: %q", command, before, after, got)
			}
		}
	})
}
