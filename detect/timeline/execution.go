package timeline

// One execution may be told by several builds: by the targets of a bake that share a step,
// and by builds that one builder made at once. It is one sample of the step and one piece
// of evidence, however many tell of it.

// Executions are the last few of one step. Those that tell of one execution went on at
// once, and stand together in any history.
type Executions struct {
	last [4]execution
	next int
}

// An execution is told by the id of its vertex and by when it ended. What began before a
// build did may count from the build's begin only.
type execution struct {
	id  string
	end int64 // Unix time in nanoseconds
}

// Repeat tells whether s is one that was seen, and else takes it in. What has no id or no
// time is one of its own.
func (l *Executions) Repeat(s *Step) bool {
	if s.ID == "" || s.Start.IsZero() || s.Duration <= 0 {
		return false
	}
	e := execution{s.ID, s.Start.Add(s.Duration).UnixNano()}
	for i := range l.last {
		if l.last[i].end == e.end && l.last[i].id == e.id {
			return true
		}
	}
	l.last[l.next] = e
	l.next = (l.next + 1) % len(l.last)
	return false
}
