#!/bin/sh
# Runs suites in each instruction set that this machine has and would not choose by itself, and without SIMD; beside each
# other, as many as there are processors.  What they say is shown when they fail; the last line sums up.
#   tests/variants.sh SUITE...
set -eu
has() {
  for flag; do grep -qw "$flag" /proc/cpuinfo 2>/dev/null || return 1; done
}
variants=none
if has avx2 fma; then
  variants="$variants sse2"
  if has avx512f avx512dq; then variants="$variants avx2"; fi
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for simd in $variants; do
  for suite; do echo "$simd $suite"; done
done >"$work/list"
# shellcheck disable=SC2016 # expanded by the inner shell
xargs -P "$(nproc)" -n 2 sh -c '
  log=$0/$1-${2##*/}
  ADTOOL_SIMD=$1 "$2" >"$log" 2>&1 || { echo "ADTOOL_SIMD=$1 $2:"; cat "$log"; } >"$0/failed-${log##*/}"
' "$work" <"$work/list"

find "$work" -name 'failed-*' -exec cat {} +
find "$work" -name '*-check_*' ! -name 'failed-*' -exec cat {} + | awk -v runs="$(wc -l <"$work/list")" '
  /^[0-9]*%: Checks:/ { sums++; checks += $3; bad += $5 + $7 }
  END {
    bad += runs - sums # ended before their sum
    printf "%d%%: Checks: %d, Failures: %d, Errors: 0\n", checks ? (checks - bad) * 100 / checks : 0, checks, bad
    exit bad > 0 || !checks
  }'
