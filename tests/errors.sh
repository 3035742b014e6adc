#!/bin/sh
# Wrong input gives one message, at the right place, and exit status 3: each tests/errors/NAME.yaml, .nl or .json is read and
# the message compared with NAME.err.  `sh tests/errors.sh update` writes the messages anew, to be read before they are kept.
set -u
here=${ADTOOL_SRCDIR:-.}/tests/errors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0
bad=0
cd "$here" || exit 1
for graph in *.yaml *.nl *.json; do
  name=${graph%.*}
  adtool eval "$graph" >"$work/out" 2>"$work/err"
  status=$?
  if [ "${1-}" = update ]; then
    cp "$work/err" "$name.err"
  fi
  checks=$((checks + 1))
  if [ $status -ne 3 ] || [ -s "$work/out" ] || ! diff -u "$name.err" "$work/err" >"$work/diff"; then
    bad=$((bad + 1))
    echo "tests/errors/$graph: exit status $status, and not the message expected (-):"
    tail -n +3 "$work/diff"
  fi
done
[ "$checks" -gt 0 ] || exit 1
echo "$(((checks - bad) * 100 / checks))%: Checks: $checks, Failures: $bad, Errors: 0"
[ "$bad" -eq 0 ]
