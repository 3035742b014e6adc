#!/bin/sh
# Instructions for each node of one gradient of a random graph of 100,000 nodes, counted by valgrind, in each instruction
# set that it knows (valgrind 3.19 has no AVX-512), must not rise by more than 2 % over tests/instructions.txt.  There
# is a line for each compiler, its flags and each C library; a build without lines is not checked.
#   tests/instructions.sh           checks
#   tests/instructions.sh update    writes this build's lines anew
set -eu
export LC_ALL=C
table=$ADTOOL_SRCDIR/tests/instructions.txt
program=$ADTOOL_BUILDDIR/tests/instructions
build=$("$program" build)
runs=3

skip() {
  echo "skipped: $1"
  exit 77
}
command -v valgrind >/dev/null || skip 'no valgrind'
# libm has other code for processors without these.
{ grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo; } 2>/dev/null || skip 'the counts are for processors with AVX2 and FMA'
if [ "${1-}" != update ] && ! grep -qF " $build" "$table"; then
  skip "no counts for a build by $build; tests/instructions.sh update adds them"
fi

collected() {
  ADTOOL_SIMD=$1 valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$2" 2>&1 |
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

nodes=$("$program" nodes)
fresh=
status=0
for simd in none sse2 avx2; do
  # The difference of two lengths leaves out what is done once.
  one=$(collected $simd 1)
  more=$(collected $simd $((1 + runs)))
  count=$(awk "BEGIN { printf \"%.1f\", ($more - $one) / ($runs * $nodes) }")
  fresh="$fresh$simd $count $build
"
  known=$(sed -n "s/^$simd \([0-9.]*\) \(.*\)/\1 \2/p" "$table" | while read -r n rest; do
    if [ "$rest" = "$build" ]; then echo "$n"; fi
  done)
  if [ "${1-}" != update ] && awk "BEGIN { exit !($count > 1.02 * ${known:-0}) }"; then
    echo "$simd: $count instructions a node, where tests/instructions.txt has ${known:-none}."
    echo 'Where that is worth it, say why in the commit and run: make update-instructions'
    status=1
  fi
done
if [ "${1-}" = update ]; then
  { grep -vF " $build" "$table" || true; } >"$table.new"
  printf %s "$fresh" >>"$table.new"
  mv "$table.new" "$table"
fi
exit $status
