#!/usr/bin/env bash
# Runs buildregress check on what the inputs of the action say. Flags are in the
# environment as BUILDREGRESS_…, and what is empty there is not said.
#
# Reads BINARY, HISTORY, SOURCE, METADATA, REPORT_HTML, FAIL_ON_ERROR and GITHUB_TOKEN. Sets
# the output report-name, of the artifact that keeps the report as HTML.
set -euo pipefail

if [[ ! -x $BINARY ]]; then
	exit 0 # it was told why
fi
work=$(mktemp -d "$RUNNER_TEMP/buildregress-XXXXXX")
here=github://$GITHUB_REPOSITORY

builds=$SOURCE
if [[ -z $builds && -n ${METADATA//[[:space:]]/} ]]; then
	printf '%s' "$METADATA" >"$work/metadata.json"
	builds=buildx:@$work/metadata.json
elif [[ -z $builds && ${GITHUB_EVENT_NAME:-} == workflow_run ]]; then
	builds=$here
elif [[ -z $builds ]]; then
	builds=buildx:
fi
# A server that holds the builds holds their history as well.
if [[ -z $BUILDREGRESS_BASELINE && -z $BUILDREGRESS_STORE && $builds != *://* ]]; then
	export BUILDREGRESS_BASELINE=$here
fi
if [[ -z $BUILDREGRESS_STORE ]]; then
	export BUILDREGRESS_STORE=sqlite:$HISTORY/history.db
fi
export BUILDREGRESS_OUTPUT=$BUILDREGRESS_OUTPUT$'\n'json=$work/report.json
if [[ ${REPORT_HTML:-} == true ]]; then
	BUILDREGRESS_OUTPUT+=$'\n'html=$work/report.html
	# Its name is no other's in the run, and begins with no "buildregress": artifacts that do
	# are history.
	printf 'report-name=%s\n' "build-report-${GITHUB_JOB:-job}-${work##*-}" >>"$GITHUB_OUTPUT"
	# The comment leads to the artifact: comment.bash posts it when there is one.
	export BUILDREGRESS_COMMENT=never
fi

status=0
"$BINARY" check -- "$builds" || status=$?
if [[ $status == 3 && $FAIL_ON_ERROR != true ]]; then
	echo '::warning title=buildregress::the build could not be judged, see the log of this step (fail-on-error: true makes this an error)'
	exit 0
fi
exit "$status"
