package dockerfile

import "testing"

// Steps that do the same elsewhere are of one kind, and others are not.
func TestKind(t *testing.T) {
	for _, same := range [][]string{
		{"[build] RUN make", "[linux/arm64 build] RUN make", "[-] RUN make"},
		{"[-] test (3.11, arm64)", "[-] test (3.12)", "[-] test"},
		{"[-] unit 1/2", "[-] unit 2/2"},
		{"[compile] Std { target: x86 }", "[check] Std { target: arm }"},
	} {
		for _, key := range same {
			if got, want := Kind(key), Kind(same[0]); got != want {
				t.Errorf("%q is of kind %q, and %q of %q", key, got, same[0], want)
			}
		}
	}
	for _, pair := range [][2]string{
		{"[build] RUN make", "[build] RUN make test"},
		{"[build] COPY src /src", "[build] COPY lib /lib"},
		{"[-] pull alpine", "[-] FROM alpine"},
	} {
		if Kind(pair[0]) == Kind(pair[1]) {
			t.Errorf("%q and %q are of one kind", pair[0], pair[1])
		}
	}
}
