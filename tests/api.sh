#!/bin/sh
# Every public function refuses what it can't take (tests/api.c, which has a row for each function of adtool.h), and the
# shared library exports those functions and nothing else.
#   tests/api.sh                      of this build
#   tests/api.sh PROGRAM [LIBRARY]    tests/api.c built against another one
set -eu
export LC_ALL=C
program=${1-$ADTOOL_BUILDDIR/tests/api}
library=${2-$ADTOOL_BUILDDIR/.libs/libadtool.so}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$program"
sed -n 's/^AD_API [^(]*[ *]\(ad_[a-z0-9_]*\)(.*/\1/p' "$ADTOOL_SRCDIR/lib/adtool.h" | sort >"$work/functions"
sed -n 's/^ *\(USAGE\|GIVES\|DOES_NOTHING\|DERIVATIVE\)(\(ad_[a-z0-9_]*\).*/\2/p' "$ADTOOL_SRCDIR/tests/api.c" |
  sort -u >"$work/rows"
[ -s "$work/functions" ]
diff "$work/functions" "$work/rows" || { echo 'functions of adtool.h (<) and rows of tests/api.c (>) differ' && exit 1; }
[ -e "$library" ] || exit 0
nm -D --defined-only "$library" | sed 's/.* //; s/@.*//' | sort >"$work/exported"
diff "$work/functions" "$work/exported" || { echo "functions of adtool.h (<) and exports of $library (>) differ" && exit 1; }
