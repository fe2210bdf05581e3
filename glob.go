package main

// matches tells whether a glob matches the whole text: "*" is any text, "/" and
// spaces included, "?" one character, and nothing else is special.
func matches(glob, text string) bool {
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
