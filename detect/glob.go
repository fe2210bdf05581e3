package detect

// A Glob is a pattern on keys of steps: "*" is any text, "/" and spaces included,
// "?" one character, and nothing else is special.
type Glob string

// Match tells whether the glob matches the whole text.
func (glob Glob) Match(text string) bool {
	g, t := []rune(glob), []rune(text)
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
