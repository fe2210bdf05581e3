// Package enum writes and reads the names of enumerated values.
package enum

import (
	"fmt"
	"strconv"
	"strings"
)

// Text is the name of value i of an enumeration, its number if it has none.
func Text(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return strconv.Itoa(i)
	}
	return names[i]
}

// Parse sets to to the value that text names; what says what it is a value of.
func Parse[T ~int](names []string, text []byte, what string, to *T) error {
	for i, name := range names {
		if string(text) == name {
			*to = T(i)
			return nil
		}
	}
	return fmt.Errorf("%s %.40q is none of %s", what, text, strings.Join(names, ", "))
}
