#!/usr/bin/env bash
# Posts the comment on a result that check.bash has left to it, once the report as HTML is
# kept and has an address. That it cannot be posted is a warning, unless FAIL_ON_ERROR is
# true.
#
# Reads BINARY, REPORT, PAGE (the address; empty if the report could not be kept),
# FAIL_ON_ERROR and GITHUB_TOKEN.
set -euo pipefail

options=(--comment "${BUILDREGRESS_COMMENT:-auto}")
if [[ -n $PAGE ]]; then
	options+=(--report-url "$PAGE")
fi
# Formats that the environment asks for were written before.
unset BUILDREGRESS_FORMAT BUILDREGRESS_OUTPUT

status=0
"$BINARY" report "${options[@]}" -- "$REPORT" >/dev/null || status=$?
if [[ $status != 0 && $FAIL_ON_ERROR != true ]]; then
	echo '::warning title=buildregress::the comment could not be posted, see the log of this step (fail-on-error: true makes this an error)'
	exit 0
fi
exit "$status"
