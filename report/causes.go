package report

import (
	"github.com/buildregress/buildregress/detect"
)

// Why a step is slower is told in one line behind the finding: the surest cause, or, of
// those that are possible only, all that were found. What is sure needs no word for it.

// causesLine tells of causes, nil if there are none.
func causesLine(causes []detect.Explanation) line {
	if len(causes) == 0 {
		return nil
	}
	first := causes[0].Certainty
	told := causes[:1]
	if first == detect.Possible {
		told = causes
	}
	var texts []line
	for i := range told {
		text := prose(told[i].Text)
		if i == 0 && first == detect.Is {
			text = prose(capitalized(told[i].Text))
		}
		texts = append(texts, text)
	}
	l := joined(texts, "; ")
	switch {
	case causes[0].Kind == detect.KindNothingRecorded:
		l = prose(capitalize(causes[0].Text))
	case first == detect.Likely:
		l = lineOf("Likely: ", l)
	case first == detect.Possible:
		l = lineOf("Possible: ", l)
	}
	return lineOf(" ", l, ".")
}

// explainCauses writes the causes of a step, and what was looked at besides.
func (e *explainer) explainCauses() {
	for _, c := range e.Causes {
		e.row("cause", "%s: %s", c.Certainty, c.Text)
	}
	for _, n := range e.RuledOut {
		if n.Kind == detect.KindHistory {
			e.row("looked at", "%s", n.Text)
		} else {
			e.row("ruled out", "%s", n.Text)
		}
	}
}
