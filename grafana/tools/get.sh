#!/usr/bin/env bash
# Builds what the tests of the dashboards run, into a cache outside the checkout, and only what is missing: the stack
# itself (deploy/get.sh), dashcheck from Go modules; the renderer and the TraceQL check from npm packages.
#
#   get.sh [PIECE...]      pieces: stack dashcheck traceql-check render; all by default
#
# The cache is LLMCOST_STACK_CACHE, else ~/.cache/llmcost-stack. Needs Go; Node 20 or newer with npm for the last two
# (left out where there is none); the renderer also needs Chromium to run. Warm: some seconds.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${LLMCOST_STACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/llmcost-stack}
mkdir -p "$cache/bin" "$cache/node"
exec 9>"$cache/lock"
if command -v flock >/dev/null; then flock 9; fi
# The packages of a folder with a lock file, and its own files beside them.
from_npm() {
  local target=$cache/node/$1
  command -v npm >/dev/null || { echo "stack-tools: $1 is left out: there is no npm" >&2; return; }
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

if [ $# -eq 0 ]; then set -- stack dashcheck traceql-check render; fi
for piece in "$@"; do
  case $piece in
    stack) "$here/../../deploy/get.sh" 9>&- ;;
    dashcheck) (cd "$here/dashcheck" && GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0 go build -ldflags "-s -w" -o "$cache/bin/dashcheck" .) ;;
    traceql-check | render) (from_npm "$piece") ;;
    *) echo "unknown piece $piece" >&2; exit 2 ;;
  esac
done
