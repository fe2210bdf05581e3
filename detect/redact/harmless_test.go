package redact

import (
	"strings"
	"testing"
)

// harmless are names of steps and lines of logs that hide nothing.
const harmless = `
task-sk-something-long-named-task
RUN pip install sk-learn-extensions==0.1
RUN make sk-something-very-long-with-words
basic installation-of-things
Basic authentication-required-here
bearer authentication-of-things
ENV TOKEN_EXPIRY=15m
ENV SECRET_MANAGER=aws
RUN http-server --auth basic
echo pass: 12 fail: 3
tests pass: 120, fail: 0
RUN git clone ssh://git@github.com/owner/name.git
RUN git clone git+ssh://git@host/owner/name
RUN git clone git@github.com:owner/name.git
RUN pip install git+ssh://git@github.com/o/r@v1.2
RUN npm_config_registry=https://registry.example npm ci
RUN npm_config_something_long_and_more=1 npm ci
ENV TOKEN_TIMEOUT=30s PASSWORD_POLICY=strict
ENV AUTH_MODE=none AUTH_METHOD=oidc
ENV VAULT_TOKEN_HEADER=X-Vault-Token
RUN x --token-type bearer --auth-type basic
RUN x --password-stdin < /dev/stdin
RUN docker login -u me --password-stdin registry.example
RUN helm registry login registry.example --username me --password-stdin
RUN docker login registry.example && mkdir -p /build/output
RUN docker login registry.example; mkdir -p /build/output
RUN docker login registry.example | tee -p log.txt
RUN curl -sSLo out.tgz https://host.example/u:p.tgz
RUN curl -H accept:application/json -d user:name https://host
RUN curl -XPUT https://host.example/a
RUN curl --user $USER:$PASSWORD https://host
RUN curl -fsSL https://host.example/x?key=release.asc
RUN curl -u "$LOGIN" https://host
RUN mysql -p db
RUN mysql --port 3306 -u root db
RUN mongosh -port 27017
RUN redis-cli -h host -n 3
RUN git config --global user.name builder
RUN git config --global user.email builder@example.org
RUN npm config set registry https://registry.example
RUN npm config set strict-ssl false
RUN aws configure set region eu-west-1
RUN aws configure set output json
RUN pip config set global.index-url https://pypi.example/simple
RUN yarn config set cache-folder /cache
RUN keytool -importcert -keystore ks.jks -alias ca
RUN openssl enc -aes-256-cbc -pbkdf2 -in a -out b
RUN ssh-keygen -t ed25519 -f key
RUN gpg --keyserver keys.example --recv-keys E3FF2839C048B25C084DEBE9B26995E310250568
RUN apt-key adv --fetch-keys https://host.example/key.pub
RUN echo the machine is ready
RUN the machine needs password authentication
error: invalid token: expected expression
unauthorized: authentication required
error: token: expired
error: password: incorrect
error parsing password: unexpected end
npm warn config optional Use --omit=optional instead
npm notice auth: required
PASS: TestSomething (0.01s)
pass: 3
--- PASS: TestToken (0.00s)
ok pkg/auth 0.3s
auth: ok
RUN go test ./auth/... ./token/...
COPY ./secrets/README.md /secrets/
COPY --chown=app:app credentials.go /src/
COPY pkg/token/token.go pkg/token/
RUN --mount=type=secret,id=token,target=/run/secrets/token make
RUN --mount=type=secret,id=GH_PAT,env=GH_PAT make
RUN --mount=type=ssh,id=default git fetch
ARG GH_PAT
ARG NPM_TOKEN
ENV SSH_AUTH_SOCK=/run/ssh.sock
ENV PATH=/usr/local/bin:/usr/bin
RUN PAT=$(cat /run/secrets/pat) make
RUN export TOKEN
RUN set -eu; make
RUN set token
RUN compass=north bypass=1 passes=3 make
RUN make key-something-long-named-thing
RUN make hf_transfer
RUN HF_HUB_ENABLE_HF_TRANSFER=1 hf_transfer_download_everything
RUN dapi-server --help
RUN pat-server-with-a-long-name --help
RUN make re_something_long_named_here
RUN ./cio --help
FROM registry.example/token-service:1.2.3
FROM docker.io/hashicorp/vault:1.15
[build 3/6] COPY --from=deps /src/node_modules ./node_modules
load metadata for docker.io/library/node:20
exporting to image
importing cache manifest from registry.example/app:cache
[auth] owner/app:pull,push token for registry.example
docker-image://docker.io/library/golang:1.26@sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a
git://github.com/owner/name.git#0123456789abcdef0123456789abcdef01234567
RUN echo 0123456789abcdef0123456789abcdef01234567 > revision
RUN echo 3f2504e0-4f89-11d3-9a0c-0305e82c3301 > uuid
RUN node --max-old-space-size=4096 build.js
RUN max_tokens=100 tokenizer=bert make
RUN sort -k 2 -u names.txt
RUN useradd -u 1000:1000 app
RUN chown -R user:group /app
RUN http --print=hb GET https://host
RUN keybase --version && monkey=1 make
ENV JWT_ALGORITHM=HS256 JWT_ISSUER=https://issuer.example
ENV SECRET_KEY_FILE=/run/secrets/key SECRET_NAME=app
ENV API_KEY_HEADER=X-Api-Key API_KEY_ID=main
RUN terraform init -backend-config=bucket=x
RUN sqlplus /nolog @x.sql
RUN sqlplus / as sysdba
RUN sqlplus -s $USER/$PASS@db
RUN sqlplus @scripts/create.sql
COPY sqlplus lib/instantclient
COPY --from=client /opt/sqlplus bin/tool
RUN cp sqlplus bin/tool && ls sqldeveloper/bin
RUN exp a/b && imp c/d
RUN sql scripts/init.sql
RUN sqlcmd -i scripts/init.sql -v x=1
RUN rman target / @backup.rman
RUN mongodump --port 27017 -d db -o /dump/new
RUN mongorestore --drop /dump/new
RUN openssl req -x509 -newkey rsa:4096 -keyout key.pem -nodes -subj /CN=host
RUN openssl s_client -connect host:443
RUN ssh-keygen -t rsa -N "" -f key
RUN psql -c "ALTER USER me WITH LOGIN"
RUN psql postgresql://localhost:5432/db
RUN snmpwalk -v2c host
RUN rar a x.rar dir && unrar x x.rar
RUN echo done | sudo tee /etc/issue
RUN etcdctl --user root get x
RUN curl -E cert.pem https://host
RUN curl --cert cert.pem --key key.pem https://host
RUN dotnet nuget push bin/x.nupkg -s https://host
RUN nuget push x.nupkg -Source https://host
RUN kubectl create configmap x --from-literal=mode=production
RUN kubectl create secret generic x --from-file=key
RUN lftp -u $USER,$PASS ftp://host
RUN unzip -p x.zip readme
RUN net user
packages are identified by name
objects identified by their path
the net user count is growing
sorted with care by name
connect with the password of the database
RUN mysqlsh --uri localhost:3306
RUN db2 connect to sample
RUN redis-server --port 6379
RUN rclone copy pass dst
RUN security find-identity -p codesigning
`

func TestHarmless(t *testing.T) {
	n := 0
	for line := range strings.Lines(strings.TrimSpace(harmless)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if got := Text(line); got != line {
			t.Errorf("Text(%q)\n   = %q", line, got)
		}
	}
	if n < 100 {
		t.Errorf("%d harmless texts, want 100 at least", n)
	}
}
