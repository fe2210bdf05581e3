package redact

import (
	"strings"
	"testing"
)

// The secrets in TestText all hold one of these.
const secretMarks = "hunter2 s3cret 0123456789 AKIAIO MIIE"

func TestText(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"RUN echo ghp_0123456789abcdefABCDEF0123456789abcd", "RUN echo *****"},
		{"RUN echo sk_live_0123456789abcdef", "RUN echo *****"},
		{"RUN x SG.0123456789abcdefghijkl.0123456789abcdefghijkl", "RUN x *****"},
		{"RUN curl https://hooks.slack.com/services/T00/B00/s3cret -d x", "RUN curl https://hooks.slack.com/services/***** -d x"},
		{"RUN curl 'https://b.example/x?sv=1&sig=s3cret%3D&se=2'", "RUN curl 'https://b.example/x?sv=1&sig=*****&se=2'"},
		{"ADD https://b.example/x?X-Amz-Signature=s3cret /", "ADD https://b.example/x?X-Amz-Signature=***** /"},
		{"ADD https://b.example/x?a=1&signature=s3cret /", "ADD https://b.example/x?a=1&signature=***** /"},
		{"RUN echo eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "RUN echo *****"},
		{"ENV AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "ENV AWS_ACCESS_KEY_ID=*****"},
		{"RUN x '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----'", "RUN x '*****'"},
		{"done\nMIIE0123456789abcdef\nMIIEabcdefghijklm==\n-----END RSA PRIVATE KEY-----\nnext", "done\n*****\nnext"},

		// Names of all kinds.
		{"RUN npm config set //r.example/:_authToken=s3cret", "RUN npm config set //r.example/:_authToken=*****"},
		{"RUN npm config set //r.example/:_auth=s3cret", "RUN npm config set //r.example/:_auth=*****"},
		{"RUN login --user me password=hunter2 && x", "RUN login --user me password=***** && x"},
		{`RUN export API_KEY="s3cret"`, `RUN export API_KEY="*****"`},
		{"DB_PASS=hunter2 PASS=hunter2 pass: hunter2", "DB_PASS=***** PASS=***** pass: *****"},
		{"SECRET_KEY_BASE=s3cret DJANGO_SECRET_KEY=s3cret", "SECRET_KEY_BASE=***** DJANGO_SECRET_KEY=*****"},
		{"AWS_SECRET_KEY=s3cret ENCRYPTION_KEY=s3cret MYSQL_PWD=hunter2", "AWS_SECRET_KEY=***** ENCRYPTION_KEY=***** MYSQL_PWD=*****"},
		{"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=s3cret==;X", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=*****;X"},
		{"Server=db;Uid=me;Pwd=hunter2;", "Server=db;Uid=me;Pwd=*****;"},
		{"curl -H 'X-Auth: s3cret' -H apikey:s3cret", "curl -H 'X-Auth: *****' -H apikey:*****"},
		{"${PASSWORD:-hunter2}", "${PASSWORD:-*****}"},

		// Headers and JSON.
		{"RUN curl -H 'Authorization: Bearer s3cretabcdefghijklmnop'", "RUN curl -H 'Authorization: Bearer *****'"},
		{"RUN curl -H 'Authorization: token s3cret'", "RUN curl -H 'Authorization: token *****'"},
		{"RUN curl -H Authorization:s3cret", "RUN curl -H Authorization:*****"},
		{"RUN curl -H PRIVATE-TOKEN:s3cret", "RUN curl -H PRIVATE-TOKEN:*****"},
		{`echo '{"password":"hunter2 two","user":"me"}'`, `echo '{"password":"*****","user":"me"}'`},
		{`echo '{"auths":{"r.example":{"auth":"s3cret=="}}}'`, `echo '{"auths":{"r.example":{"auth":"*****"}}}'`},
		{`echo "{\"token\":\"s3cret\"}"`, `echo "{\"token\":\"*****\"}"`},
		{`{"password":"hunter2\"s3cret"}`, `{"password":"*****"}`},

		// Behind a space.
		{"ENV PASSWORD hunter2", "ENV PASSWORD *****"},
		{"ENV PASSWORD hunter2 s3cret", "ENV PASSWORD *****"},
		{"RUN sshpass -phunter2 ssh h", "RUN sshpass -p***** ssh h"},
		{"[2/3] ENV NPM_TOKEN s3cret", "[2/3] ENV NPM_TOKEN *****"},
		{"RUN export PASSWORD hunter2", "RUN export PASSWORD *****"},
		{"RUN login --password hunter2 x", "RUN login --password ***** x"},
		{"RUN login --password='two hunter2' x", "RUN login --password='*****' x"},
		{`RUN x --auth-token "hunter2 two" y`, `RUN x --auth-token "*****" y`},
		{"RUN curl -u me:hunter2 https://h", "RUN curl -u ***** https://h"},
		{"RUN docker login -u me -p hunter2 r.example", "RUN docker login -u me -p ***** r.example"},
		{"RUN sshpass -p hunter2 ssh h", "RUN sshpass -p ***** ssh h"},
		{"RUN mysql -u root -phunter2 db", "RUN mysql -u root -p***** db"},

		// Addresses.
		{"RUN git clone https://me:s3cret@host/x.git", "RUN git clone https://*****@host/x.git"},
		{"RUN git clone https://me:s3cret@0123456789@host/x.git", "RUN git clone https://*****@host/x.git"},
		{"RUN git clone https://me:s3c/hunter2@host/x.git", "RUN git clone https://*****@host/x.git"},
		{"RUN git clone 'https://0123456789@host/x.git'", "RUN git clone 'https://*****@host/x.git'"},
		{"PASSWORD=/s3cret", "PASSWORD=*****"},
	} {
		got := Text(tt.text)
		if got != tt.want {
			t.Errorf("Text(%q)\n   = %q,\nwant %q", tt.text, got, tt.want)
		}
		for mark := range strings.FieldsSeq(secretMarks) {
			if strings.Contains(got, mark) {
				t.Errorf("Text(%q) shows a secret: %q", tt.text, got)
			}
		}
		if again := Text(got); again != got {
			t.Errorf("masking twice changes %q to %q", got, again)
		}
	}
}

// TestTextUnchanged checks what hides nothing: references to secrets, and words.
func TestTextUnchanged(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0a", 32)
	for _, text := range []string{
		"RUN --mount=type=secret,id=npm npm ci",
		"RUN --mount=type=secret,id=NPM_TOKEN,env=NPM_TOKEN npm ci",
		"RUN --mount=type=cache,target=/root/.cache,id=key go build",
		`RUN TOKEN="$TOKEN" make`,
		`RUN if [ "$TOKEN" = "x" ]; then make; fi`,
		"RUN curl -u $USER:$PASSWORD -H 'Authorization: Bearer $TOKEN' https://h",
		`RUN echo "$P" | docker login -u me --password-stdin r.example`,
		"RUN TOKEN=$(cat /run/secrets/token) PASSWORD_FILE=/run/secrets/p make",
		"RUN x --password /run/secrets/p --token-file token.txt --secret id=npm,src=npm",
		"RUN make tokenizer",
		"RUN TOKENIZERS_PARALLELISM=false make max_tokens=100",
		"COPY password.txt /",
		"COPY password.txt secret/ /",
		"RUN ./passgen",
		"RUN ./passgen --passes 3 --compass=north bypass=1",
		"RUN apt-key add key.gpg",
		"RUN apt-key adv --keyring=x --keyserver keys.example --recv-keys 0123456789ABCDEF",
		"RUN monkey=1 KEY=value cache-key=abc make",
		"ENV GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568",
		"RUN PWD=/x make -C /etc/passwd",
		"RUN export TOKEN && make",
		"RUN always-auth=true npm ci",
		"[auth] library/node:pull token for registry-1.docker.io",
		"load metadata for docker.io/library/node:20" + digest,
		"docker-image://node:20" + digest,
		"docker-image://localhost:5000/a/b:1.2" + digest,
		"docker-image://r.example/secret:1.2.3" + digest,
		"FROM vault-token:1.2 AS secret",
		"RUN curl https://h:8443/@scope/pkg",
		"RUN npm i https://r.example/@scope/pkg@1.0.0",
		"RUN docker run -v /etc/passwd:/etc/passwd:ro -p 80:80 x",
		"RUN ssh -p 22 host && mysql -p db",
		"RUN login -port 22 -pretty",
		"RUN useradd --no-password me",
	} {
		if got := Text(text); got != text {
			t.Errorf("Text(%q)\n   = %q", text, got)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("RUN a password=", "hunter2!")
	f.Add("https://u:", "p@ss")
	f.Add(`{"password":"`, `x\"y"} --token 'a b`)
	f.Add("ENV TOKEN ", "curl -u a:b login -p c")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "ghp_0123456789abcdefABCDEF0123456789abcd"
		got := Text(before + " " + secret + " " + after)
		if strings.Contains(got, secret) {
			t.Errorf("the token shows between %q and %q", before, after)
		}
		if again := Text(got); again != got {
			t.Errorf("masking twice changes %q to %q", got, again)
		}
	})
}

func BenchmarkText(b *testing.B) {
	for name, text := range map[string]string{
		"plain":  "[build 3/6] COPY --from=deps /src/node_modules ./node_modules",
		"hinted": "[build 3/6] RUN --mount=type=secret,id=npm curl https://h/x?y=1 | sh -s -- --api-key=s3cret --user me",
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Text(text)
			}
		})
	}
}

// TestArguments checks that what a text calls secret is cut out of others, and that numbers,
// words and what only refers to a secret are not.
func TestArguments(t *testing.T) {
	for _, tt := range []struct{ named, printed, text, want string }{
		{"[2/4] ENV NPM_TOKEN=s3cretvalue", "", "RUN x s3cretvalue /s3cretvalue/y", "RUN x ***** /*****/y"},
		{"ARG TOKEN=s3c5 A=b", "", "a s3c5 b s3c5s", "a ***** b s3c5s"},
		{"RUN docker build --build-arg API_TOKEN='s3cret value' .", "", "s3cret value", "*****"},
		{"", "+ docker build --build-arg NPM_TOKEN=s3cretvalue --build-arg=\"AUTH_TOKEN=hunter2hunter\" .", "s3cretvalue hunter2hunter", "***** *****"},
		// What harms nobody.
		{"ENV TOKEN=$NPM TOKEN_TTL=15minutes PASSWORD=postgres DB_PASSWORD=1234", "", "$NPM 15minutes postgres 1234", "$NPM 15minutes postgres 1234"},
		{"ARG VERSION=1.2.3-rc", "--build-arg VERSION=1.2.3-rc --build-arg", "1.2.3-rc", "1.2.3-rc"},
		{"", "invalid token: unexpected-thing PASSWORD=something-long", "unexpected-thing something-long", "unexpected-thing something-long"},
	} {
		var a Arguments
		a.AddText(tt.named)
		a.AddPrinted(tt.printed)
		b := a.Clone()
		b.AddText("ENV TOKEN=another-one-1")
		got := tt.text
		if a.Cut(&got); got != tt.want {
			t.Errorf("%q %q: %q, want %q", tt.named, tt.printed, got, tt.want)
		}
		if other := "another-one-1"; !strings.Contains(other, masked) {
			if a.Cut(&other); other != "another-one-1" {
				t.Error("a clone is not apart")
			}
			if b.Cut(&other); other != masked {
				t.Errorf("a clone shows %q", other)
			}
		}
	}
}
