package buildkit

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// A build out of progress. Each vertex is a step, whatever became of it: cached,
// executed, failed, still running or never started when the progress ended. How the
// build ended is what its record says, else what the vertices say: the first that
// failed for a reason of its own, or one without an end.

// brokeOffError is the error of a build whose progress just ends.
const brokeOffError = "the progress log breaks off: it was cut, or the builder was killed"

// Build makes the build of a Progress that holds one solve, and warnings on
// what is odd in it.
func (p *Progress) Build(m Metadata) (timeline.Build, []error) {
	return p.build(m, p.order, "")
}

// build makes a build of some of the vertices; prefix is what stands in front
// of their names, see targets.
func (p *Progress) build(m Metadata, vertices []*vertex, prefix string) (timeline.Build, []error) {
	m.Arguments = m.Arguments.Clone()
	for _, v := range vertices {
		m.Arguments.AddText(v.name)
		m.Arguments.AddPrinted(string(v.log))
	}
	s := &steps{}
	var start, end time.Time
	var made int64               // bytes of the layers that ran steps made
	var failed, brokeOff *vertex // first to fail; first without an end
	endings := p.endingsOf(vertices, prefix)
	ids := make(map[string]string, len(vertices))     // of steps, by digest
	waits := make(map[string][]string, len(vertices)) // digests, by id of the step that waits
	began := p.began(&m)
	same := twinsOf(vertices, prefix)
	for _, v := range vertices {
		if same.step[v] != nil {
			continue
		}
		instruction, known := m.Instructions[v.digest]
		if own := same.own[v]; own != nil && !known {
			instruction = m.Instructions[own.digest]
		}
		info := stepInfoOf(v.nameFor(prefix), instruction.Text)
		if info.kind == clientOnly && !isStep(info.name, v.ended.Sub(v.started)) {
			continue
		}
		lost := endings.lost(v, info.kind)
		if lost && v.running() {
			v.lostBy = endings.lostBy(v, p.last)
			if v.lostBy.After(end) {
				end = v.lostBy
			}
		}
		before := len(s.list)
		id := p.addStep(s, v, info, instruction.Position, began)
		s.list[before].Facts, s.list[before].Usage = m.StepFacts[v.digest], m.usage(v, &s.list[before])
		if f := m.StepFacts[v.digest]; s.list[before].State == timeline.Executed && info.dockerfile && f != nil && f.Image == "" {
			layer := m.LayerBytes[v.digest]
			made += layer
			s.list[before].Usage = withLayer(s.list[before].Usage, layer)
		}
		if endings.doubtful(v, info.kind) {
			s.doubt(before)
		}
		ids[v.digest], waits[id] = id, v.inputs
		if own := same.own[v]; own != nil {
			waits[id] = own.inputs
			s.digests = slices.DeleteFunc(s.digests, func(ran string) bool { return ran == v.digest }) // not for this build
		}
		for _, t := range []time.Time{v.started, v.open} {
			// What began before the build did so for another one.
			if !t.IsZero() && (start.IsZero() || t.Before(start)) && !(info.dockerfile && t.Before(began)) {
				start = t
			}
		}
		if v.ended.After(end) {
			end = v.ended
		}
		if (v.running() || v.neverStarted()) && !lost {
			if brokeOff == nil || v.running() && !brokeOff.running() {
				brokeOff = v
			}
		}
		if v.err != "" && info.kind.fails() && !endings.ignored(v) && saysMore(v, failed) {
			failed = v
		}
	}
	for v, step := range same.step {
		ids[v.digest] = ids[step.digest]
	}
	s.wrote(made)
	doubted := linkInputs(s.list, waits, ids)
	if len(p.damaged) == 0 { // else what was lost may be what was waited for
		s.addWaits(began, true, doubted)
	}
	b := timeline.Build{ID: m.Ref, Trace: m.Trace, Content: s.content(), Reader: timeline.ReaderVersion, Steps: s.sorted()}
	if !m.Start.IsZero() && !m.End.IsZero() {
		start, end = m.Start, m.End
	} else if brokeOff != nil && brokeOff.running() && p.last.After(end) {
		end = p.last
	}
	b.Start, b.Duration = start, s.elapsed(start, end, "the build")
	if b.ID == "" {
		b.ID = timeline.ContentID(b.Content, b.Start)
	}
	if v := p.vertices[m.FailedAt]; v != nil {
		failed = v
	}
	b.Outcome, b.Error = m.outcome(failed, brokeOff)
	if b.Outcome == timeline.OK && !m.Ended && !haveWorked(vertices) && (!p.worked || p.Troubled()) {
		// A target without work of its own may share all of another, which ran through.
		b.Outcome, b.Error = timeline.Cancelled, brokeOffError+"; no step had begun"
	}
	if b.Outcome != timeline.OK {
		if failed == nil && brokeOff != nil && brokeOff.running() {
			failed = brokeOff
		}
		if failed != nil {
			b.Log = lastLines(failed.log)
		}
	}
	if b.Outcome == timeline.Failed && m.FailedIn != "" {
		b.Error += " (" + fetch.Clean(m.FailedIn, MaxName) + ")"
	}
	m.applyGitContext(gitContextOf(vertices, prefix))
	m.Facts = m.progressFacts(p, vertices)
	m.describe(&b)
	fetch.Hide(&b, &m.Arguments)
	return b, s.warnings
}

// saysMore tells whether v says more about why the build failed than w: errors
// that only say that something else had failed already say nothing.
func saysMore(v, w *vertex) bool {
	return w == nil || isCancellation(w.err) && !isCancellation(v.err)
}

// addStep adds the step that a vertex is, and those that are parts of it, and returns the
// id of the one that others may wait for.
func (p *Progress) addStep(s *steps, v *vertex, info stepInfo, at dockerfile.Position, began time.Time) string {
	step := timeline.Step{Start: v.started, Source: at, Bytes: v.transferred()}
	id := shortID(v.digest)
	switch info.kind {
	case export:
		id = exportStage
	case cacheExport:
		id = cacheExportID
	}
	hit := v.cached && !v.ran()
	work := workOf(&info, len(v.inputs) > 0, hit)
	times := v.intervals(work)
	step.Duration = s.elapsed(v.started, v.ended, info.name)
	if len(times) > 0 {
		step.Start, step.Duration = times.time()
	}
	switch {
	case v.err != "":
		step.State, step.Error = failure(v.err)
	case v.running():
		step.State, step.Error = timeline.Interrupted, notEnded
		if !v.lostBy.IsZero() {
			step.Error = lostEnd
		}
		step.Start, step.Duration = v.open, s.elapsed(v.open, cmp.Or(v.lostBy, p.last), info.name)
	case hit, v.unmoved(work):
		step.State = timeline.Cached
	case v.neverStarted():
		step.State = timeline.NeverStarted
	default:
		s.addContent(info, v.digest)
		if before := len(times); before > 0 && (info.dockerfile || !p.guessed) {
			if times = times.since(began); len(times) == 0 || v.cached && len(v.worked.since(began)) == 0 {
				// Another build did it, and this one found it done.
				step.State, step.Start, step.Duration = timeline.Cached, began, 0
			} else if len(times) < before {
				step.Start, step.Duration = times.time()
			}
		}
	}
	if step.State.HasNoResult() {
		s.addContent(info, v.digest)
	}
	added := s.add(info, id, step)
	if v.cached && !hit {
		added.Rule = max(added.Rule, 1) // it was cached before, as another target found it
	}
	id = added.ID
	s.apart(id, times)
	if !info.dockerfile && p.guessed {
		began = time.Time{}
	}
	p.addParts(s, v, &info, work, began)
	return id
}

// addParts adds the steps that are parts of the one added last, but for what was done
// before the build began.
func (p *Progress) addParts(s *steps, v *vertex, info *stepInfo, work work, began time.Time) {
	if rules[work].layers && v.err == "" && !v.running() {
		s.addLayers(info, v.layers(layerPrefix).since(began), v.layers(unpackPrefix).since(began), v.transferred())
	}
	if info.kind != export {
		return
	}
	pushed := v.pushed
	if len(pushed) == 0 {
		pushed.add(v.pushStart, v.ended)
	}
	if len(pushed) > 0 {
		s.addPush(withoutTag(v.pushRef), pushed)
	}
}

// intervals are those that count as the time of the vertex.
func (v *vertex) intervals(w work) intervals {
	list := slices.Concat(v.worked, v.loaded)
	if rules[w].attempts || len(list) == 0 {
		list = append(list, v.failed...)
	}
	return list
}

// unmoved tells whether the vertex is an image that was there: it was looked up, however
// long the registry took, and no layer of it was moved.
func (v *vertex) unmoved(w work) bool {
	return rules[w].layers && v.resolved && len(v.transfers) == 0 && !v.ended.IsZero()
}

// began is when the build began, as far as it is known: by its record, else by the first
// of what builds begin with. No instruction runs before that for this build.
func (p *Progress) began(m *Metadata) (began time.Time) {
	p.guessed = m.Start.IsZero() || m.End.IsZero()
	if !p.guessed {
		began = m.Start
	} else {
		for _, v := range p.order {
			if beginningOf(v.name) == "" {
				continue
			}
			for _, in := range v.worked {
				if began.IsZero() || in.start.Before(began) {
					began = in.start
				}
			}
		}
	}
	for _, v := range p.order {
		if v.ended.After(began) || v.open.After(began) {
			return began
		}
	}
	return time.Time{} // it is of another clock
}

// linkInputs gives the steps their inputs: of the digests that each waits for, the
// ids of those that are steps. In doubt are those that wait for others as well.
func linkInputs(list []timeline.Step, waits map[string][]string, ids map[string]string) (doubted map[string]bool) {
	doubted = map[string]bool{}
	for i := range list {
		for _, digest := range waits[list[i].ID] {
			if id, ok := ids[digest]; ok {
				list[i].Inputs = append(list[i].Inputs, id)
			} else {
				doubted[list[i].ID] = true
			}
		}
	}
	return doubted
}

// outcome tells how the build ended, and why: by the metadata, if they know, else
// by the vertex that failed and the one that did not end.
func (m *Metadata) outcome(failed, brokeOff *vertex) (timeline.Outcome, string) {
	message := m.Error
	if message == "" && failed != nil && !m.Ended {
		message = failed.err
	}
	switch {
	case message != "" && failed != nil && !isCancellation(failed.err):
		return timeline.Failed, fetch.Clean(message, MaxName)
	case m.Cancelled:
		if message == "" {
			message = "cancelled"
		}
		return timeline.Cancelled, fetch.Clean(message, MaxName)
	case message != "":
		return outcomeOf(message), fetch.Clean(message, MaxName)
	case brokeOff != nil && !m.Ended:
		return timeline.Cancelled, brokeOffError + "; it was at " + fetch.Clean(brokeOff.name, 200)
	}
	return timeline.OK, ""
}

// describe fills in what the metadata say of where the build comes from.
func (m *Metadata) describe(b *timeline.Build) {
	b.Facts, b.Machine = m.Facts, m.Machine
	b.BoundFacts()
	apply(b, m.Resource)
	if b.Repository == "" {
		b.Repository = fetch.Clean(Repository(m.Repository), MaxName)
	}
	if b.Revision == "" {
		b.Revision = fetch.Clean(m.Revision, MaxName)
	}
	if b.PullRequest == "" {
		b.PullRequest = fetch.Clean(m.PullRequest, MaxName)
	}
	if b.Branch == "" && b.PullRequest == "" {
		b.Branch = fetch.Clean(m.Branch, MaxName)
	}
	words := []string{b.Pipeline, m.BakeTarget}
	if b.Pipeline == "" && b.Repository != "" && m.Dockerfile != "" {
		words = append([]string{b.Repository}, m.image(b)...)
	}
	b.Pipeline, b.Image = joined(words), ""
	if b.Pipeline == "" {
		b.Image = joined(m.image(b))
	}
}

// image is what of its repository a build makes, in words of which some may be "".
func (m *Metadata) image(b *timeline.Build) []string {
	return []string{
		cmp.Or(m.Dockerfile, DefinitionOf(b.Steps)), m.foreignContext(),
		cmp.Or(m.Platform, onlyPlatform(b.Steps)), cmp.Or(m.BakeTarget, m.Target),
	}
}

// DefinitionOf is the name of the Dockerfile that the steps load, "" if they load none.
func DefinitionOf(steps []timeline.Step) string {
	for i := range steps {
		text := dockerfile.ParseName(steps[i].Name).Text
		if name, ok := strings.CutPrefix(text, "load build definition from "); ok && steps[i].Stage == internalStage {
			return name
		}
	}
	return ""
}

// joined is the words in a line, those that are "" left out.
func joined(words []string) string {
	words = slices.DeleteFunc(words, func(word string) bool { return word == "" })
	return fetch.Clean(strings.Join(words, " "), MaxName)
}

// onlyPlatform is the platform that all instructions are for, as they are on one of several
// nodes; "" if there are more, none, or linux/amd64, which goes without saying.
func onlyPlatform(steps []timeline.Step) (only string) {
	for i := range steps {
		s := &steps[i]
		switch {
		case s.Count == 0:
		case s.Platform == "" || only != "" && s.Platform != only:
			return ""
		default:
			only = s.Platform
		}
	}
	if only == "linux/amd64" {
		return ""
	}
	return only
}

// foreignContext is the folder that is the context, in parentheses, where it does not
// follow from the Dockerfile: one Dockerfile may make several images.
func (m *Metadata) foreignContext() string {
	if m.Context == "" || m.Context == "." || strings.HasPrefix(m.Dockerfile, m.Context+"/") {
		return ""
	}
	return "(" + m.Context + ")"
}

// Complete turns a build that was read from the spans in a record into the
// record's build: the record knows better when it ran and how it ended.
func (m *Metadata) Complete(b *timeline.Build) {
	b.ID = m.Ref
	if d := m.End.Sub(m.Start); !m.Start.IsZero() && d >= 0 && d <= MaxDuration {
		b.Start, b.Duration = m.Start, d
	}
	if m.Ended {
		failed := &vertex{err: b.Error}
		if b.Outcome == timeline.OK {
			failed = nil
		}
		b.Outcome, b.Error = m.outcome(failed, nil)
	}
	m.describe(b)
}
