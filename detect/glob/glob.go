// Package glob matches text as people write it in a configuration.
package glob

// A Pattern is matched with a whole text: "*" is any text, "/" and spaces included,
// "?" one character, and nothing else is special.
type Pattern string

// Match tells whether the pattern matches the whole text. It takes time in proportion to
// the product of both lengths at most, whoever wrote them: of several "*", only the last
// one seen is ever given more of the text.
func (p Pattern) Match(text string) bool {
	g, t := []rune(p), []rune(text)
	i, j := 0, 0
	star, mark := -1, 0 // the last "*", and where the text behind it begins
	for j < len(t) {
		switch {
		case i < len(g) && g[i] == '*':
			star, mark = i, j
			i++
		case i < len(g) && (g[i] == '?' || g[i] == t[j]):
			i++
			j++
		case star >= 0: // let the last "*" take one more
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(g) && g[i] == '*' {
		i++
	}
	return i == len(g)
}
