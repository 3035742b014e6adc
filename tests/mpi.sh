#!/bin/sh
# Ranks of MPI share a batch: any number of them gives the bytes of one process, also when one of them is killed.
# Skipped where adtool is built without MPI, or there is no mpirun.
set -eu
if ! grep -q '^MPI_LIBS = .' "$ADTOOL_BUILDDIR/Makefile" || ! command -v mpirun >/dev/null; then
  echo "adtool is built without MPI (./configure --with-mpi), or there is no mpirun"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
seed=${ADTOOL_TEST_SEED:-20240229}
echo "ADTOOL_TEST_SEED=$seed"
checks=0
bad=0
verdict() {
  checks=$((checks + 1))
  "$@" || { bad=$((bad + 1)) && echo "failed: $*"; }
}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
export TMPDIR="$work"
ranks() { # COUNT COMMAND...
  count=$1
  shift
  mpirun --oversubscribe -n "$count" "$@"
}

rows=100000
awk -v n=$rows -v seed="$seed" 'BEGIN { srand(seed); print "x"; for (i = 0; i < n; i++) printf "%.17g\n", 6 * rand() - 3 }' >x.csv
cat >wave.yaml <<'EOF'
adtool: 1
inputs: {x: 1, k: 2}
outputs: {f: sin(k*x) * exp(-x^2) + tanh(x)}
EOF
for format in npy csv; do adtool batch wave.yaml --points x.csv -o all.$format --quiet; done
for fold in sum mean; do adtool batch wave.yaml --points x.csv --reduce $fold >all.$fold; done
adtool batch wave.yaml --points x.csv --do hess -o all.hess.npy
for count in 1 2 3 7; do
  for format in npy csv; do
    ranks "$count" adtool batch wave.yaml --points x.csv -o part.$format --threads $((count % 3 + 1))
    verdict cmp all.$format part.$format
  done
  for fold in sum mean; do
    ranks "$count" adtool batch wave.yaml --points x.csv --reduce $fold --threads $((count % 2 + 1)) >some.$fold
    verdict cmp all.$fold some.$fold
  done
  ranks "$count" adtool batch wave.yaml --points all.npy --wrt x -o bad.npy >out 2>&1 && status=0 || status=$?
  verdict [ "$status" -ne 0 ]
  verdict [ "$(grep -c 'points want \[points, 2\]' out)" -eq 1 ]
done
ranks 3 adtool batch wave.yaml --points x.csv --do hess -o some.hess.npy --threads 1
verdict cmp all.hess.npy some.hess.npy
ranks 3 adtool batch wave.yaml --points x.csv -o part.npy --shard auto
adtool merge part.npy.?-of-3 -o merged.npy
verdict cmp all.npy merged.npy

# More ranks than chunks; no row at all; a bad row, told once, with all rows before it written.
head -n 3 x.csv >three.csv
head -n 1 x.csv >none.csv
for few in three none; do
  adtool batch wave.yaml --points $few.csv -o want.csv
  ranks 4 adtool batch wave.yaml --points $few.csv -o few.csv
  verdict cmp want.csv few.csv
done
sed '90000s/.*/nonsense/' x.csv >wrong.csv
ranks 3 adtool batch wave.yaml --points wrong.csv -o wrong.out.csv >out 2>&1 && status=0 || status=$?
verdict [ "$status" -ne 0 ]
verdict [ "$(grep -c "wrong.csv:90000:1: error: 'nonsense' is not a number" out)" -eq 1 ]
verdict [ ! -e wrong.out.csv ]
# shellcheck disable=SC2016 # the ranks expand it
ranks 2 sh -c 'if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then ADTOOL_SIMD=none; export ADTOOL_SIMD; fi
  exec adtool batch wave.yaml --points x.csv -o mixed.npy' >out 2>&1 && status=0 || status=$?
verdict [ "$status" -ne 0 ]
verdict grep -q 'that was rank 1 of 2' out
verdict [ ! -e mixed.npy ]
ranks 2 adtool batch . >out 2>&1 && status=0 || status=$?
verdict [ "$status" -ne 0 ]
verdict [ "$(grep -c 'use --shard auto' out)" -eq 1 ]

# A rank that is killed ends the run; it goes on when it is started again.
cat >wide.yaml <<'EOF'
adtool: 1
inputs: {x: 1}
nodes:
  k: {op: reshape, args: [x], shape: [1]}
  w: {op: broadcast_to, args: [k], shape: [40]}
outputs: {f: sin(w)}
EOF
adtool batch wide.yaml --points x.csv --do eval -o want.csv --quiet
resumed=0
moments=$(awk -v seed="$seed" 'BEGIN { srand(seed); for (i = 0; i < 6; i++) printf "%.3f\n", i % 2 ? 0.3 + rand() : 0.2 * rand() }')
victim=0
begun=no
for moment in $moments; do
  # shellcheck disable=SC2016
  mpirun --oversubscribe -n 3 sh -c 'echo $$ >"rank.$OMPI_COMM_WORLD_RANK"
    exec adtool batch wide.yaml --points x.csv --do eval -o killed.csv --threads 1' >out 2>&1 &
  run=$!
  [ $begun = yes ] && begun=no || begun=yes # every second one after the first rows, however long mpirun takes
  while [ $begun = yes ] && [ ! -s killed.csv.part ] && kill -0 $run 2>/dev/null; do sleep 0.02; done
  sleep "$moment"
  victim=$(((victim + 1) % 3))
  [ ! -s rank.$victim ] || kill -9 "$(cat rank.$victim)" 2>/dev/null || true
  wait $run && status=0 || status=$?
  if [ -e killed.csv ]; then
    verdict cmp want.csv killed.csv
    rm killed.csv
  else
    verdict [ "$status" -ne 0 ]
    verdict grep -q 'signal 9' out
    if [ -s killed.csv.part ]; then resumed=$((resumed + 1)); fi
  fi
  rm -f rank.*
done
ranks 3 adtool batch wide.yaml --points x.csv --do eval -o killed.csv --threads 1
verdict cmp want.csv killed.csv
verdict [ $resumed -gt 0 ]

# What one process has left is kept as far as its rows are the same, then the ranks share the rest.
cat >ident.yaml <<'EOF'
adtool: 1
inputs: {x: 1}
outputs: {f: x}
EOF
adtool batch ident.yaml --points x.csv --do eval -o x.npy
for change in no yes; do
  (ulimit -f 40000 && exec adtool batch wide.yaml --points x.npy --do eval -o killed.csv --threads 1) >out 2>&1 || true
  verdict [ -s killed.csv.part ]
  if [ $change = yes ]; then printf abcde | dd of=x.npy bs=1 seek=$((128 + 8 * 9000)) conv=notrunc 2>/dev/null; fi
  adtool batch wide.yaml --points x.npy --do eval -o want.csv
  ranks 3 adtool batch wide.yaml --points x.npy --do eval -o killed.csv --threads 2
  verdict cmp want.csv killed.csv
done

echo "$(((checks - bad) * 100 / checks))%: Checks: $checks, Failures: $bad, Errors: 0"
[ "$bad" -eq 0 ]
