package detect

import (
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	tests := []struct {
		name string
		want Name
	}{
		{"[2/2] RUN echo", Name{Index: 2, Count: 2, Text: "RUN echo"}},
		{"[stage-1 2/3] RUN echo a", Name{Index: 2, Count: 3, Text: "RUN echo a"}},
		{"[build  1/37] COPY . .", Name{Stage: "build", Index: 1, Count: 37, Text: "COPY . ."}},
		{"[linux/amd64 2/2] RUN x", Name{Platform: "linux/amd64", Index: 2, Count: 2, Text: "RUN x"}},
		{"[linux/amd64->arm/v7 build  3/12] RUN x", Name{Platform: "linux/amd64->arm/v7", Stage: "build", Index: 3, Count: 12, Text: "RUN x"}},
		{"[linux/arm/v7 dist 1/1] COPY x y", Name{Platform: "linux/arm/v7", Stage: "dist", Index: 1, Count: 1, Text: "COPY x y"}},
		{"[internal] load build context", Name{Stage: "internal", Text: "load build context"}},
		{"[linux/amd64 internal] load metadata for x", Name{Platform: "linux/amd64", Stage: "internal", Text: "load metadata for x"}},
		{"[auth] library/x:pull token for r", Name{Stage: "auth", Text: "library/x:pull token for r"}},
		{"exporting to image", Name{Text: "exporting to image"}},
		{"[ -f x ] && y", Name{Stage: "-f x", Text: "&& y"}},
		{"[", Name{Text: "["}},
		{"", Name{}},
	}
	for _, tt := range tests {
		if got := ParseName(tt.name); got != tt.want {
			t.Errorf("ParseName(%q) = %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestKeyOf(t *testing.T) {
	hex64 := strings.Repeat("0123456789abcdef", 4)
	tests := []struct{ platform, stage, text, want string }{
		{"", "", "RUN make", "[-] RUN make"},
		{"linux/arm64", "", "RUN make", "[linux/arm64 -] RUN make"},
		{"linux/arm64", "build", "RUN  make \t all", "[linux/arm64 build] RUN make all"},
		{"", "base", "FROM docker.io/library/node:20.1.3@sha256:" + hex64, "[base] FROM docker.io/library/node:<version>"},
		{"", "b", "RUN fetch " + hex64, "[b] RUN fetch <hex>"},
		{"", "b", "RUN git checkout 9d11ad4", "[b] RUN git checkout <hex>"},
		{"", "b", "RUN deface the effaced facade", "[b] RUN deface the effaced facade"},
		{"", "b", "RUN echo 9d11ad4e-4bb9-678c-091f-97d06a0e26e8", "[b] RUN echo <uuid>"},
		{"", "b", "RUN touch -d 2026-11-22T10:11:12Z x-20261122", "[b] RUN touch -d <date> x-<date>"},
		{"", "b", "RUN pip install a==1.2.3 b==v2.0.0-rc1", "[b] RUN pip install a==<version> b==<version>"},
		{"", "b", "RUN make -j 4", "[b] RUN make -j 4"},
		{"", "b", "EXPOSE 8080", "[b] EXPOSE 8080"},
	}
	for _, tt := range tests {
		got := KeyOf(tt.platform, tt.stage, tt.text)
		if got != tt.want {
			t.Errorf("KeyOf(%q, %q, %q) = %q, want %q", tt.platform, tt.stage, tt.text, got, tt.want)
		}
		if again := steady(steady(tt.text)); again != steady(tt.text) {
			t.Errorf("steady is not: %q becomes %q", steady(tt.text), again)
		}
	}
}

func TestMask(t *testing.T) {
	tests := []struct{ text, secret, want string }{
		{"RUN echo ghp_0123456789abcdefABCDEF0123456789abcd", "0123456789abcdef", "RUN echo *****"},
		{"RUN npm config set //r.example/:_authToken=abcdef123", "abcdef123", "RUN npm config set //r.example/:_authToken=*****"},
		{"RUN login --user me password=hunter2 && x", "hunter2", "RUN login --user me password=***** && x"},
		{"RUN login --password hunter2 x", "hunter2", "RUN login --password ***** x"},
		{"ENV AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE", "ENV AWS_ACCESS_KEY_ID=*****"},
		{"RUN git clone https://me:s3cret@host/x.git", "s3cret", "RUN git clone https://*****@host/x.git"},
		{"RUN curl -H 'Authorization: Bearer abcdefghijklmnop'", "abcdefghijklmnop", "RUN curl -H 'Authorization: Bearer *****'"},
		{"RUN echo eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJzdWIi", "RUN echo *****"},
		{`RUN export API_KEY="abc123"`, "abc123", `RUN export API_KEY="*****"`},
		{"RUN x '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----'", "MIIE", "RUN x '*****'"},
		// Nothing to hide: references to secrets, and words.
		{"RUN --mount=type=secret,id=npm npm ci", "", "RUN --mount=type=secret,id=npm npm ci"},
		{`RUN TOKEN="$TOKEN" make`, "", `RUN TOKEN="$TOKEN" make`},
		{"RUN make tokenizer", "", "RUN make tokenizer"},
		{"COPY password.txt /", "", "COPY password.txt /"},
		{"load metadata for docker.io/library/node:20@sha256:0123", "", "load metadata for docker.io/library/node:20@sha256:0123"},
	}
	for _, tt := range tests {
		got := Mask(tt.text)
		if got != tt.want {
			t.Errorf("Mask(%q) = %q, want %q", tt.text, got, tt.want)
		}
		if tt.secret != "" && strings.Contains(got, tt.secret) {
			t.Errorf("Mask(%q) shows the secret: %q", tt.text, got)
		}
		if again := Mask(got); again != got {
			t.Errorf("masking twice changes %q to %q", got, again)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("RUN a password=", "hunter2!")
	f.Add("https://u:", "p@ss")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "ghp_0123456789abcdefABCDEF0123456789abcd"
		if strings.Contains(Mask(before+" "+secret+" "+after), secret) {
			t.Errorf("the token shows between %q and %q", before, after)
		}
		KeyOf("", "", before+after)
		ParseName(before + after)
	})
}
