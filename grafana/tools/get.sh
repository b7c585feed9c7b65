#!/usr/bin/env bash
# Builds what the tests of the dashboards run, into a cache outside the checkout, and only what is missing:
# Prometheus, promtool, Jaeger and dashcheck from Go modules; the renderer and the TraceQL check from npm packages.
#
#   get.sh [PIECE...]      pieces: prometheus promtool jaeger dashcheck traceql-check render; all by default
#
# The cache is LLMCOST_STACK_CACHE, else ~/.cache/llmcost-stack. Needs Go, Node 20 or newer, and npm; the renderer also
# needs Chromium to run. Cold, on two cores: about 10 minutes and 9 GB with Go's own caches; warm: at once.
set -euo pipefail

PROMETHEUS=v0.316.0 # Prometheus 3.16.0
JAEGER=v1.76.0      # the v2 program of that release

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${LLMCOST_STACK_CACHE:-${HOME}/.cache/llmcost-stack}
mkdir -p "$cache/bin" "$cache/node"
exec 9>"$cache/lock"
if command -v flock >/dev/null; then flock 9; fi
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0
unset GOBIN GOOS GOARCH

# Any version folder of the cache may hold the program already.
there() { find -L "$cache" -path "*/bin/$1" -type f -perm -u+x | grep -q .; }

# Without service discoveries, of which tests need none but static targets.
from_prometheus() { GOBIN=$cache/bin go install -tags remove_all_sd "github.com/prometheus/prometheus/cmd/$1@$PROMETHEUS"; }

# Its go.mod has a replace directive, so `go install` refuses it.
from_jaeger() {
  cd "$work"
  go mod init llmcost.local/jaeger
  go get -tool "github.com/jaegertracing/jaeger/cmd/jaeger@$JAEGER"
  go build -ldflags "-s -w" -o "$cache/bin/jaeger" github.com/jaegertracing/jaeger/cmd/jaeger
}

# The packages of a folder with a lock file, and its own files beside them.
from_npm() {
  local target=$cache/node/$1
  mkdir -p "$target"
  cp -R "$here/$1/." "$target/"
  cd "$target"
  sha256sum package-lock.json ./*.js* ./*.mjs | sha256sum >.recipe.new
  if ! cmp -s .recipe .recipe.new; then
    npm ci --silent --no-audit --no-fund
    if grep -q '"build"' package.json; then npm run --silent build; fi
    mv .recipe.new .recipe
  fi
}

for piece in "${@:-prometheus promtool jaeger dashcheck traceql-check render}"; do
  for name in $piece; do
    echo "stack-tools: $name" >&2
    case $name in
      prometheus | promtool) there "$name" || (from_prometheus "$name") ;;
      jaeger) there jaeger || (from_jaeger) ;;
      dashcheck) (cd "$here/dashcheck" && go build -ldflags "-s -w" -o "$cache/bin/dashcheck" .) ;;
      traceql-check | render) (from_npm "$name") ;;
      *) echo "unknown piece $name" >&2; exit 2 ;;
    esac
  done
done
