#!/usr/bin/env bash
# Builds the programs of the stack from Go modules, and only what is missing, into a cache outside the checkout:
# ${LLMCOST_STACK_CACHE:-~/.cache/llmcost-stack}/NAME-VERSION/bin/NAME. Safe to run from two places at once.
#
#   get.sh [PIECE...]    pieces: collector prometheus promtool jaeger; all by default
#   get.sh --print NAME  where the program is or will be
#
# Needs Go 1.26 and, with empty Go caches, 9 GB of disk and about nine minutes on two cores; later runs take no time.
set -euo pipefail

COLLECTOR=0.161.0 # builder and every part: one release
PROMETHEUS=3.16.0 # module v0.316.0
JAEGER=1.76.0     # the v2 program of that release

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${LLMCOST_STACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/llmcost-stack}
recipe=$(sha256sum "$here/collector-builder.yaml" | cut -c1-8)

folder_of() {
  case $1 in
    collector | otelcol-llmcost) echo "$cache/collector-$COLLECTOR-$recipe/bin" ;;
    prometheus | promtool) echo "$cache/$1-$PROMETHEUS/bin" ;;
    jaeger) echo "$cache/jaeger-$JAEGER/bin" ;;
    *) echo "unknown piece $1" >&2; exit 2 ;;
  esac
}

program_of() { if [ "$1" = collector ]; then echo otelcol-llmcost; else echo "$1"; fi; }

if [ "${1:-}" = --print ]; then
  echo "$(folder_of "$2")/$(program_of "$2")"
  exit 0
fi

# Nothing of the caller's own Go settings may change what is built.
export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0
unset GOBIN GOOS GOARCH GOEXPERIMENT

build_collector() {
  GOBIN=$PWD nice go install "go.opentelemetry.io/collector/cmd/builder@v$COLLECTOR"
  sed "s|@OUTPUT@|$PWD/made|" "$here/collector-builder.yaml" >manifest.yaml
  nice ./builder --config manifest.yaml --ldflags="-s -w"
  mv made/otelcol-llmcost out
}

# Without service discoveries, of which tests need none but static targets.
build_of_prometheus() {
  GOBIN=$PWD/b nice go install -tags remove_all_sd \
    -ldflags "-s -w -X github.com/prometheus/common/version.Version=$PROMETHEUS" \
    "github.com/prometheus/prometheus/cmd/$1@v0.3${PROMETHEUS#3.}"
  mv "b/$1" out
}
build_prometheus() { build_of_prometheus prometheus; }
build_promtool() { build_of_prometheus promtool; }

# Its go.mod has a replace directive, so `go install` refuses it.
build_jaeger() {
  go mod init llmcost.local/jaeger
  nice go get -tool "github.com/jaegertracing/jaeger/cmd/jaeger@v$JAEGER"
  nice go build -ldflags "-s -w" -o out github.com/jaegertracing/jaeger/cmd/jaeger
}

mkdir -p "$cache"
exec 9>"$cache/lock.deploy"
if command -v flock >/dev/null; then flock 9; fi
work=$(mktemp -d "$cache/work.XXXXXX")
log=/dev/null
trap 'code=$?; rm -rf "$work"; if [ $code -ne 0 ]; then tail -n 20 "$log" >&2; fi' EXIT

if [ $# -eq 0 ]; then set -- collector prometheus promtool jaeger; fi
for piece in "$@"; do
  folder=$(folder_of "$piece")
  if [ -x "$folder/$(program_of "$piece")" ]; then continue; fi
  command -v go >/dev/null || { echo "stack: $piece has to be built, and there is no Go" >&2; exit 1; }
  log=$cache/$piece.log
  echo "stack: building $piece; log in $log" >&2
  mkdir -p "$work/$piece" "$folder"
  # 9>&-: a build must not hold the lock. No `if`, `||` or `&&` here: they would switch off `set -e` inside.
  (cd "$work/$piece"; "build_$piece") >"$log" 2>&1 9>&-
  mv -f "$work/$piece/out" "$folder/$(program_of "$piece")"
done
