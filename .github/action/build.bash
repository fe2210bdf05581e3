#!/usr/bin/env bash
# Builds buildregress from the action's own source. That it cannot be built is a
# warning, unless FAIL_ON_ERROR is true.
#
# Reads ACTION_PATH and BINARY.
set -euo pipefail
cd "$ACTION_PATH"
if CGO_ENABLED=0 GOFLAGS='' GOWORK=off go build -trimpath -ldflags='-s -w' -o "$BINARY" .; then
	exit 0
fi
rm -f "$BINARY"
if [[ ${FAIL_ON_ERROR:-} == true ]]; then
	echo '::error title=buildregress::it could not be built from source'
	exit 1
fi
echo '::warning title=buildregress::it could not be built from source, so that nothing was judged (fail-on-error: true makes this an error)'
