package ci

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/buildregress/buildregress/fetch"
)

// OwnBuild says what names the build that was made beside this process, the best
// first, and whether it may be the newest if nothing does: not where a CI system
// runs many.
func OwnBuild(e Env) (selectors []fetch.Selector, newest bool) {
	if id := traceParent(e("TRACEPARENT")); id != "" {
		selectors = append(selectors, fetch.Selector{TraceID: id})
	} else if id := e("TRACE_ID"); traceIDs.MatchString(id) && strings.Trim(id, "0") != "" { // as Jenkins' plugin says it
		selectors = append(selectors, fetch.Selector{TraceID: id})
	}
	said := resourceAttributes(e("OTEL_RESOURCE_ATTRIBUTES"))
	ci := System(e)
	if id := said["cicd.pipeline.run.id"]; id != "" { // which the build says, too
		return append(selectors, fetch.Selector{RunID: id, Revision: said["vcs.ref.head.revision"]}), false
	}
	for _, id := range runIDs(e) {
		selectors = append(selectors, fetch.Selector{RunID: id, Revision: ci.Revision})
	}
	for _, revision := range distinct([]string{said["vcs.ref.head.revision"], ci.Revision}) {
		if revision != "" {
			selectors = append(selectors, fetch.Selector{Revision: revision})
		}
	}
	return selectors, !IsRunning(e)
}

// traceParents is the form of a TRACEPARENT.
var traceParents = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}`)

var traceIDs = regexp.MustCompile(`^[0-9a-f]{32}$`)

// traceParent is the trace id in a TRACEPARENT, "" if there is none, see
// https://www.w3.org/TR/trace-context/.
func traceParent(text string) string {
	m := traceParents.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil || strings.Trim(m[1], "0") == "" {
		return ""
	}
	return m[1]
}

// resourceAttributes reads OTEL_RESOURCE_ATTRIBUTES, see
// https://opentelemetry.io/docs/specs/otel/resource/sdk/.
func resourceAttributes(text string) map[string]string {
	said := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		if plain, err := url.PathUnescape(strings.TrimSpace(value)); err == nil {
			said[strings.TrimSpace(key)] = plain
		}
	}
	return said
}
