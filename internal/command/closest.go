package command

// Closest is the name that somebody may have meant who mistyped it, "" if none is like
// what they typed: one of so many letters may be wrong, and another one. A pair that is
// turned round is one.
func Closest(typed string, names []string, ofSoMany int) (meant string) {
	best := len(typed)/ofSoMany + 1
	for _, name := range names {
		if d := distance(typed, name, best); d < best || d == best && meant == "" {
			best, meant = d, name
		}
	}
	return meant
}

// distance is how many letters have to be changed, added, left out or turned round with
// the next to make b of a; more than most if it is that.
func distance(a, b string, most int) int {
	if len(a) > len(b)+most || len(b) > len(a)+most {
		return most + 1
	}
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			differ := 1
			if a[i] == b[j] {
				differ = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+differ)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
