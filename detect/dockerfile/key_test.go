package dockerfile

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

func TestKey(t *testing.T) {
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
		// The values of a matrix and of shards are parts of a name; all else is not.
		{"", "", "test (3.11)", "[-] test (3.11)"},
		{"", "", "ci / test (3.11, ubuntu-22.04) / run v1.2.3", "[-] ci / test (3.11, ubuntu-22.04) / run <version>"},
		{"", "", "unit 1/2", "[-] unit 1/2"},
		{"", "", "unit (2/2)", "[-] unit (2/2)"},
		{"", "", "Install gcc 12.3", "[-] Install gcc <version>"},
		{"", "", "deploy (9d11ad4e)", "[-] deploy (<hex>)"},
		{"", "", "report (2026-11-22)", "[-] report (<date>)"},
		{"", "", "RUN (curl x-1.2.3.tgz)", "[-] RUN (curl x-<version>.tgz)"},
		{"", "", "RUN <<EOT (pip install a==1.2...)", "[-] RUN <<EOT (pip install a==<version>...)"},
	}
	for _, tt := range tests {
		got := Key(tt.platform, tt.stage, tt.text)
		if got != tt.want {
			t.Errorf("Key(%q, %q, %q) = %q, want %q", tt.platform, tt.stage, tt.text, got, tt.want)
		}
		if again := normalize(normalize(tt.text)); again != normalize(tt.text) {
			t.Errorf("steady is not: %q becomes %q", normalize(tt.text), again)
		}
	}
}

// Names and keys are made of whatever stands in a Dockerfile.
func FuzzParseName(f *testing.F) {
	f.Add("[linux/arm64 build 3/6] RUN npm ci")
	f.Add("[internal] load build context")
	f.Add("ci / test (3.11, ubuntu-22.04) / run v1.2.3")
	f.Add("[stage-1 2/2] COPY --from=a@sha256:00 /x /y")
	f.Fuzz(func(t *testing.T, name string) {
		n := ParseName(name)
		key := Key(n.Platform, n.Stage, n.Text)
		if again := Key(n.Platform, n.Stage, n.Text); again != key {
			t.Errorf("%q: the key is %q, then %q", name, key, again)
		}
	})
}
