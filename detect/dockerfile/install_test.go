package dockerfile

import (
	"slices"
	"testing"
)

func TestNeeds(t *testing.T) {
	for text, want := range map[string][]string{
		"RUN npm ci": {"package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"},
		"RUN --mount=type=cache,target=/root/.npm CI=1 npm ci --omit=dev": {"package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"},
		"RUN cd web && yarn":     {"package.json", "yarn.lock", ".yarnrc", ".yarnrc.yml"},
		"RUN go mod download -x": {"go.mod", "go.sum", "go.work", "go.work.sum"},
		"RUN pip install --no-cache-dir -r requirements/base.txt":        {"base.txt"},
		"RUN python3 -m pip install --target /deps -r /requirements.txt": {"requirements.txt"},
		"RUN pip install flask==3.0":                                     {},
		"RUN apt-get update && apt-get install -y git && rm -rf /x":      {},
		"RUN apk add --no-cache git && npm ci":                           {"package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"},

		"RUN npm ci && npm run build":           nil,
		"RUN npm install ./local":               nil,
		"RUN npm install left-pad":              nil,
		"RUN npm ci --prefix web":               nil,
		"RUN yarn build":                        nil,
		"RUN pip install .":                     nil,
		"RUN pip install -e .[dev] -r r.txt":    nil,
		"RUN pip install ./wheels/a.whl":        nil,
		"RUN apt-get install -y ./a.deb":        nil,
		"RUN apt-get install $(cat list)":       nil,
		"RUN cat list | xargs apt-get install":  nil,
		"RUN go mod tidy":                       nil,
		"RUN go mod download && go build ./...": nil,
		"RUN apt-get update":                    nil, // installs nothing
		"RUN <<EOF (npm ci...)":                 nil,
		`RUN ["npm", "ci"]`:                     nil,
		"COPY . .":                              nil,
		"RUN":                                   nil,
		"RUN make":                              nil,
		"":                                      nil,
		"RUN if [ -f x ]; then npm ci; fi":      nil,
	} {
		files, ok := Needs(text)
		if ok != (want != nil) || ok && !slices.Equal(files, want) {
			t.Errorf("%s: %q, %v, want %q", text, files, ok, want)
		}
	}
}

func TestIndex(t *testing.T) {
	type index struct {
		tool   string
		isLeft bool
	}
	for text, want := range map[string]index{
		"RUN apt-get update && apt-get install -y git":                                {"apt", true},
		"RUN apt-get update && apt-get install -y git && rm -rf /var/lib/apt/lists/*": {"apt", false},
		"RUN DEBIAN_FRONTEND=noninteractive apt update":                               {"apt", true},
		"RUN /usr/bin/apt-get -qq update":                                             {"apt", true},
		"RUN apk add --no-cache git":                                                  {"apk", false},
		"RUN apk update && apk add git":                                               {"apk", true},
		"RUN dnf install -y gcc":                                                      {"dnf", true},
		"RUN dnf install -y gcc && dnf clean all":                                     {"dnf", false},
		"RUN apt-get install -y git":                                                  {},
		"RUN apk add git":                                                             {}, // out of an index that is there
		"RUN xx-apk add --no-cache musl-dev":                                          {}, // of another platform
		"RUN --mount=type=cache,target=/v apt-get update":                             {},
		"RUN echo apt-get update":                                                     {},
		"RUN make update":                                                             {},
		"COPY apt-get update":                                                         {},
	} {
		if tool, isLeft := Index(text); (index{tool, isLeft}) != want {
			t.Errorf("%s: %q, %v, want %v", text, tool, isLeft, want)
		}
	}
}

func TestCacheMounts(t *testing.T) {
	got := CacheMounts("RUN --mount=target=/root/.cache,type=cache --mount=type=bind,target=. --mount=type=cache,dst=/go/pkg/mod,sharing=locked make")
	if !slices.Equal(got, []string{"/root/.cache", "/go/pkg/mod"}) {
		t.Errorf("%q", got)
	}
}

// No text of a step makes any of these fail.
func FuzzInstalls(f *testing.F) {
	f.Add("RUN --mount=type=cache,target=/a cd a && pip install -r")
	f.Add("RUN = && ; sudo")
	f.Fuzz(func(t *testing.T, text string) {
		if files, ok := Needs(text); !ok && len(files) > 0 {
			t.Errorf("%q: files of what is not known: %q", text, files)
		}
		Index(text)
		CacheMounts(text)
	})
}
