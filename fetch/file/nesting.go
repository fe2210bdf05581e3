package file

import "fmt"

var errNesting = fmt.Errorf("nested more than %d deep", MaxNesting)

// checkNesting makes sure that brackets of JSON are not nested so deeply that a
// recursive decoder runs out of stack.
func checkNesting(data []byte) error {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth++; depth > MaxNesting {
				return errNesting
			}
		case '}', ']':
			depth--
		case '"':
			end := closing(data, i)
			if end < 0 {
				return nil // the decoder will say so better
			}
			i = end
		}
	}
	return nil
}
