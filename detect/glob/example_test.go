package glob_test

import (
	"fmt"

	"github.com/buildregress/buildregress/detect/glob"
)

func ExamplePattern_Match() {
	p := glob.Pattern("* RUN npm *")
	fmt.Println(p.Match("[deps] RUN npm ci"), p.Match("[deps] RUN npx next build"))
	// Output: true false
}
