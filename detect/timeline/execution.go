package timeline

import "hash/maphash"

// One execution may be told by several builds: by the targets of a bake that share a step,
// and by builds that one builder made at once. It is one sample of the step and one piece
// of evidence, however many tell of it.

// Executions are the last few of one step. Those that tell of one execution went on at
// once, and stand together in any history.
type Executions struct {
	last [4]Execution
	next int
}

// An Execution is told by the id of its vertex and by when it ended. What began before a
// build did may count from the build's begin only. The zero value is one of its own.
type Execution struct {
	id  uint64 // a hash of it
	end int64  // Unix time in nanoseconds
}

var idSeed = maphash.MakeSeed()

// ExecutionOf is the execution of a step. What has no id or no time is one of its own.
func ExecutionOf(s *Step) Execution {
	if s.ID == "" || s.Start.IsZero() || s.Duration <= 0 {
		return Execution{}
	}
	return Execution{maphash.String(idSeed, s.ID), s.Start.Add(s.Duration).UnixNano()}
}

// Repeat tells whether that of s is one that was seen, and else takes it in.
func (l *Executions) Repeat(s *Step) bool { return l.Repeats(ExecutionOf(s)) }

// Repeats tells whether e is one that was seen, and else takes it in.
func (l *Executions) Repeats(e Execution) bool {
	if e == (Execution{}) {
		return false
	}
	for i := range l.last {
		if l.last[i].end == e.end && l.last[i].id == e.id {
			return true
		}
	}
	l.last[l.next] = e
	l.next = (l.next + 1) % len(l.last)
	return false
}
