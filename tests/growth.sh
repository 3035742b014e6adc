#!/bin/sh
# Graphs of twice as many parts take at most 2.2 times as many instructions, counted by valgrind, in every step of
# tests/growth.c: to make, write, read, plan and run them.
#   tests/growth.sh                checks
#   tests/growth.sh FAMILY [N]     shows all counts of one family, from N parts on
set -eu
export LC_ALL=C
skip() {
  echo "skipped: $1"
  exit 77
}
command -v valgrind >/dev/null || skip 'no valgrind'
"$ADTOOL_BUILDDIR/tests/growth" can || skip 'built without valgrind/callgrind.h, or with sanitizers'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Copies byte by byte count as so many instructions; with these, large ones are made as small ones are.
GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=0x7fffffff:glibc.cpu.x86_rep_stosb_threshold=0x7fffffff
export GLIBC_TUNABLES
valgrind --tool=callgrind --collect-atstart=no --combine-dumps=yes --callgrind-out-file="$work/counts" \
  "$ADTOOL_BUILDDIR/tests/growth" "$@" >"$work/log" 2>&1 || {
  cat "$work/log"
  exit 1
}
# A dump is known by "desc: Trigger: Client Request: FAMILY: STEP SIZE" and has its sum in "totals:".
awk -v all=$# '
  /^desc: Trigger: Client Request: / { sub(/.*Client Request: /, ""); sub(/ [0-9]+$/, ""); step = $0 }
  /^totals: / && step != "" {
    if (!sizes[step]) name[steps++] = step
    count[step, sizes[step]++] = $2
    step = ""
  }
  END {
    for (i = 0; i < steps; i++) {
      s = name[i]
      worst = 0
      for (k = 1; k < sizes[s]; k++) if (count[s, k] > worst * count[s, k - 1]) worst = count[s, k] / count[s, k - 1]
      many += worst > 2.2
      if (all || worst > 2.2)
        printf "%-50s %11.0f %11.0f %11.0f  %.2f%s\n", s, count[s, 0], count[s, 1], count[s, 2], worst, (worst > 2.2 ? " *" : "")
    }
    printf "%d of %d steps take more than 2.2 times as many instructions for twice as many parts\n", many, steps
    exit many || !steps
  }' "$work/counts"
