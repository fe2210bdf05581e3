#!/usr/bin/env bash
# Gets the buildregress of the action's own version: its release for this system,
# whose checksum must be right; or, where there is no such release, says that it is
# to be built from the action's own source.
#
# Where gh and a token are there, GitHub's statement of where the release was built
# has to be right as well; else it is built from source, which the action's own
# commit vouches for.
#
# Reads ACTION_PATH, ACTION_REF, ACTION_REPOSITORY and GH_TOKEN, and what the runner sets.
# Sets the outputs binary, from (release or source), go (missing, if it has to be
# set up for that), history (a folder), cache-key and cache-prefix.
set -euo pipefail

output() { printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; }
fail() {
	printf '::error title=buildregress::%s\n' "$1"
	exit 1
}

sha256() { # FILE
	if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi <"$1" | cut -d' ' -f1
}

case ${RUNNER_OS:-} in
Linux) os=linux suffix='' ;;
macOS) os=darwin suffix='' ;;
Windows) os=windows suffix=.exe ;;
*) fail "there is no buildregress for runners of the system '${RUNNER_OS:-}'" ;;
esac
case ${RUNNER_ARCH:-} in
X64) arch=amd64 ;;
ARM64) arch=arm64 ;;
*) arch= ;; # Go may know it
esac

folder=$RUNNER_TEMP/buildregress
mkdir -p "$folder/bin" "$folder/history"
binary=$folder/bin/buildregress$suffix
output binary "$binary"
output history "$folder/history"
prefix=buildregress-$os-$(printf '%s/%s' "${GITHUB_WORKFLOW:-}" "${GITHUB_JOB:-}" >"$folder/job" && sha256 "$folder/job" | cut -c1-16)-
output cache-prefix "$prefix"
output cache-key "$prefix$(date -u +%Y-%m-%d)"

# The runner tells an action its repository and ref, but for bugs: then the folder
# does, …/_actions/OWNER/NAME/REF.
repository=${ACTION_REPOSITORY:-} ref=${ACTION_REF:-}
if [[ (-z $repository || -z $ref) && ${ACTION_PATH//\\//} =~ /_actions/([^/]+/[^/]+)/(.+)$ ]]; then
	repository=${BASH_REMATCH[1]} ref=${BASH_REMATCH[2]}
fi
server=${GITHUB_SERVER_URL:-https://github.com}
scheme=${server%%:*}
release='^v[0-9]+\.[0-9]+\.[0-9]+$'

# version_of REF prints the release that a ref is: itself, or, for a commit and for
# a tag that moves, the release of the same commit. It prints nothing if there is
# none.
version_of() {
	if [[ $1 =~ $release ]]; then
		printf '%s\n' "$1"
		return
	fi
	local tags commit=$1
	tags=$(GIT_TERMINAL_PROMPT=0 git -c http.lowSpeedLimit=100 -c http.lowSpeedTime=20 ls-remote --tags -- "$server/$repository" 'v*' 2>/dev/null) || return 0
	# A tag with a message is an object of its own; the line with ^{} is its commit.
	tags=$(awk '{ sub("^refs/tags/", "", $2) } sub(/\^\{\}$/, "", $2) { peeled[$2] = $1; next } { plain[$2] = $1 }
		END { for (t in plain) print t, (t in peeled ? peeled[t] : plain[t]) }' <<<"$tags")
	if ! [[ $commit =~ ^[0-9a-f]{40}$ ]]; then
		commit=$(awk -v ref="$1" '$1 == ref { print $2 }' <<<"$tags")
	fi
	[[ -n $commit ]] || return 0
	awk -v commit="$commit" '$2 == commit { print $1 }' <<<"$tags" | grep -E "$release" | sort -t. -k1.2,1n -k2,2n -k3,3n | tail -n1 || true
}

# attested FILE tells whether GitHub states that a workflow of the repository built a
# file; it says yes where nobody can ask.
attested() {
	[[ -n ${GH_TOKEN:-} ]] && gh attestation verify --help >/dev/null 2>&1 || return 0
	GH_HOST=${server#*://} GH_PROMPT_DISABLED=1 gh attestation verify "$1" --repo "$repository" >"$folder/attestation" 2>&1
}

# download NAME FILE gets a file of the release, and prints the status of the answer.
download() {
	curl --silent --show-error --location --retry 3 --connect-timeout 20 --max-time 300 --proto "=$scheme" \
		--output "$2" --write-out '%{http_code}' "$server/$repository/releases/download/$version/$1" || true
}

version=
if [[ $repository =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ && -n $ref && -n $arch ]]; then
	version=$(version_of "$ref")
fi
if [[ -n $version ]]; then
	name=buildregress_${os}_$arch$suffix
	status=$(download "$name" "$binary.download")
	if [[ $status == 200 ]]; then
		status=$(download checksums.txt "$folder/checksums.txt")
		[[ $status != 404 ]] || fail "the release $version of $repository has no checksums.txt: its $name is not used"
	fi
	if [[ $status == 200 ]]; then
		wanted=$(tr -d '\r' <"$folder/checksums.txt" | awk -v name="$name" '{ sub(/^\*/, "", $2) } $2 == name { print tolower($1) }')
		[[ $wanted =~ ^[0-9a-f]{64}$ ]] || fail "checksums.txt of the release $version of $repository does not name $name once: it is not used"
		found=$(sha256 "$binary.download")
		[[ $found == "$wanted" ]] || fail "$name of the release $version of $repository has the checksum $found, and should have $wanted: it is not used"
		if attested "$binary.download"; then
			mv -f "$binary.download" "$binary"
			chmod +x "$binary"
			output from release
			echo "buildregress $version for $os/$arch, checksum $wanted"
			exit 0
		fi
		reason=$(tr -d '\r' <"$folder/attestation" | tail -n1 | tr -cd '[:print:]')
		echo "::warning title=buildregress::gh could not verify where $name of the release $version was built (${reason:-it does not say why}): it is built from source instead"
	fi
	rm -f "$binary.download"
	[[ $status == 200 || $status == 404 ]] || echo "::notice title=buildregress::the release $version could not be downloaded (status $status): it is built from source instead"
fi
[[ ${status:-404} != 404 ]] || echo "no release of ${repository:-this action} for ${ref:-its ref} on $os/${arch:-${RUNNER_ARCH:-}}: it is built from source"
output from source
# This gets the Go that go.mod asks for, if there is any Go that can.
if ! (cd "$ACTION_PATH" && GOFLAGS='' GOWORK=off go version); then
	output go missing
fi
