#!/bin/sh
# The command line, case by case: tests/cli.t holds commands behind "$ ", what each prints on standard output and standard
# error, and "? STATUS" where the exit status is not 0.  Commands run in one folder after the other, with tests/ in it.
# `sh tests/cli.sh update` writes the file anew, to be read before it is kept.
set -u
fixture=$(cd "${ADTOOL_SRCDIR:-.}/tests" && pwd)/cli.t
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/here"
ln -s "${fixture%/cli.t}" "$work/here/tests"
cd "$work/here" || exit 1
NO_COLOR=1
export NO_COLOR
checks=0
bad=0
: >"$work/new"

# Runs a command and compares with what was read for it.
settle() {
  [ -n "$command" ] || return 0
  sh -c "$command" >"$work/got" 2>&1 </dev/null
  status=$?
  [ $status -eq 0 ] || echo "? $status" >>"$work/got"
  checks=$((checks + 1))
  { printf '$ %s\n' "$command" && cat "$work/got"; } >>"$work/new"
  if ! diff -u "$work/want" "$work/got" >"$work/diff"; then
    bad=$((bad + 1))
    [ "${update}" ] || { echo "$ $command" && tail -n +3 "$work/diff"; }
  fi
}

update=${1-}
command=
: >"$work/want"
while IFS= read -r line; do
  case $line in
    '$ '*)
      settle
      command=${line#\$ }
      : >"$work/want"
      ;;
    *) printf '%s\n' "$line" >>"$work/want" ;;
  esac
done <"$fixture"
settle
if [ "$update" ]; then
  cp "$work/new" "$fixture"
  exit 0
fi
[ "$checks" -gt 0 ] || exit 1
echo "$(((checks - bad) * 100 / checks))%: Checks: $checks, Failures: $bad, Errors: 0"
[ "$bad" -eq 0 ]
