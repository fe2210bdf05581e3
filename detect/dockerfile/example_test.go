package dockerfile_test

import (
	"fmt"

	"github.com/buildregress/buildregress/detect/dockerfile"
)

func ExampleParseName() {
	n := dockerfile.ParseName("[linux/arm64 build  3/12] RUN make")
	fmt.Printf("%s of %s, instruction %d of %d: %s\n", n.Stage, n.Platform, n.Index, n.Count, n.Text)
	// Output: build of linux/arm64, instruction 3 of 12: RUN make
}

// What changes from build to build is no part of a step's identity.
func ExampleKey() {
	fmt.Println(dockerfile.Key("linux/arm64", "build", "RUN make COMMIT=9d11ad4 VERSION=1.4.2"))
	fmt.Println(dockerfile.Key("", "", "FROM alpine:3.20@sha256:beefdbd8a1da6d2915566fde36db9db0b524eb737fc57cd1367effd16dc0d06d"))
	// Output:
	// [linux/arm64 build] RUN make COMMIT=<hex> VERSION=<version>
	// [-] FROM alpine:<version>
}
