#!/bin/sh
# What `adtool batch` finds of an earlier run is kept only as far as it was made from the same inputs, whatever time
# their files have; and what others have laid beside the output is left alone.
set -eu
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
says() { # TEXT COMMAND...: on one of its streams
  text=$1
  shift
  "$@" >said 2>&1 || true
  verdict grep -qF -e "$text" said
}
fails() { # STATUS TEXT COMMAND...
  want=$1
  text=$2
  shift 2
  status=0
  "$@" >said 2>&1 || status=$?
  verdict [ $status -eq "$want" ]
  verdict grep -qF -e "$text" said
}
change() { # FILE OFFSET TEXT: without its size or its time telling of it
  cp -p "$1" before
  printf '%s' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
  touch -r before "$1"
  if cmp -s before "$1"; then echo "$1 did not change" && exit 1; fi
}

# 5 chunks, of 2048 rows: a row has the same length in all files, so that one can take another's place.
awk -v seed="$seed" 'BEGIN { srand(seed); print "x"; for (i = 0; i < 10000; i++) printf "%.15f\n", 1 + rand() }' >x.csv
row() { echo $((2 + 18 * $1)); } # where row number $1 is
awk 'BEGIN { print "adtool: 1\ninputs: {x: 1, k: 2}\nnodes:\n  n0: sin(x)"
  for (i = 1; i < 1000; i++) print "  n" i ": n" i-1 " * x"; print "outputs: {f: n999 * k}" }' >long.yaml
echo 'adtool: 1
inputs: {x: 1}
outputs: {f: x}' >same.yaml
echo 'adtool: 1
inputs: {x: 1, k: 2}
outputs: {f: x, g: k}' >both.yaml

# killed OUT BYTES COMMAND...: reads the first 7000 rows from a pipe, and is killed when so much is written.
killed() {
  out=$1
  most=$2
  shift 2
  rm -f stream
  mkfifo stream
  "$@" <stream >/dev/null 2>&1 &
  pid=$!
  { head -n 7001 x.csv && sleep 60; } >stream 2>/dev/null &
  feeder=$!
  until [ -e "$out.part" ] && [ "$(wc -c <"$out.part")" -ge "$most" ]; do kill -0 $pid && sleep 0.02; done
  kill -9 $pid
  wait $pid 2>/dev/null || true
  kill $feeder 2>/dev/null || true
  wait $feeder 2>/dev/null || true
}

# ---- Rows: the same stream, others from the first chunk on, in the middle, in the last one; a shorter one
adtool batch long.yaml --points x.csv -o want.csv
for threads in 1 3; do
  killed got.csv 200000 adtool batch long.yaml --points - -o got.csv --threads $threads
  adtool batch long.yaml --points - -o got.csv --threads $threads <x.csv
  verdict cmp want.csv got.csv
done
for place in 1 2500 6000 9999; do
  cp x.csv y.csv
  change y.csv "$(row $place)" 0.5
  adtool batch long.yaml --points y.csv -o want.y.csv
  killed got.csv 200000 adtool batch long.yaml --points - -o got.csv
  adtool batch long.yaml --points - -o got.csv <y.csv
  verdict cmp want.y.csv got.csv
done
for rows in 0 1 2048 3000; do
  head -n $((rows + 1)) x.csv >few.csv
  adtool batch long.yaml --points few.csv -o want.few.csv
  killed got.csv 200000 adtool batch long.yaml --points - -o got.csv
  adtool batch long.yaml --points - -o got.csv <few.csv
  verdict cmp want.few.csv got.csv
done
# Folds take up what is kept, and no more.
adtool batch long.yaml --points y.csv --reduce sum -o want.sum
killed got.sum 70 adtool batch long.yaml --points - --reduce sum -o got.sum
adtool batch long.yaml --points - --reduce sum -o got.sum <y.csv
verdict cmp want.sum got.sum
# Files: killed in the middle of a chunk by a limit of their size (in units of 512 or 1024 bytes, as the shell has it).
adtool batch both.yaml --points x.csv --do eval -o x.npy
for table in csv npy; do
  for change in 0 5000; do
    cp x.$table z.$table
    (ulimit -f 500 && exec adtool batch long.yaml --points z.$table -o got.csv) >/dev/null 2>&1 || true
    verdict [ -s got.csv.part ]
    if [ $change -gt 0 ] && [ $table = csv ]; then change z.csv "$(row 2500)" 0.5; fi
    if [ $change -gt 0 ] && [ $table = npy ]; then change z.npy $((128 + 16 * 2500)) abcde; fi
    adtool batch long.yaml --points z.$table >want.z.csv
    adtool batch long.yaml --points z.$table -o got.csv
    verdict cmp want.z.csv got.csv
  done
done

# ---- Parts: what is there is looked at again, and only the part whose rows have changed is done again
for table in csv npy; do
  rm -f part.*
  cp x.$table z.$table
  for part in 1 2 3; do adtool batch long.yaml --points z.$table -o part.csv --shard $part/3; done
  for part in 1 2 3; do says 'is there already' adtool batch long.yaml --points z.$table -o part.csv --shard $part/3; done
  if [ $table = csv ]; then change z.csv "$(row 5000)" 0.5; else change z.npy $((128 + 16 * 5000)) abcde; fi
  adtool batch long.yaml --points z.$table -o part.csv --shard 2/3 2>said
  verdict [ ! -s said ]
  fails 3 'parts of different batches (points)' adtool merge part.csv.1-of-3 part.csv.2-of-3 part.csv.3-of-3 -o no.csv
  for part in 1 3; do says 'is there already' adtool batch long.yaml --points z.$table -o part.csv --shard $part/3; done
  adtool merge part.csv.?-of-3 -o merged.csv
  adtool batch long.yaml --points z.$table -o want.z.csv
  verdict cmp want.z.csv merged.csv
done
# Where the rows can't be read twice, the part is done again.
adtool batch long.yaml --points - -o pipe.csv --shard 1/1 <x.npy
adtool batch long.yaml --points - -o pipe.csv --shard 1/1 <z.npy
verdict cmp want.z.csv pipe.csv.1-of-1
# A merge that was killed leaves nothing that a later one would take up.
for part in 1 2; do adtool batch long.yaml --points x.csv -o whole.csv --shard $part/2; done
(ulimit -f 500 && exec adtool merge part.csv.?-of-3 -o merged.csv) >/dev/null 2>&1 || true
adtool merge whole.csv.?-of-2 -o merged.csv
verdict cmp want.csv merged.csv

# ---- Graphs: the records of those whose files have changed, and all behind them, are made anew
mkdir many
printf '\000\000\200\077\000\000\000\100' >many/w.bin # 1 and 2: weights w of w * w
printf '\010\010\072B\012\016\012\001w\012\001w\022\001y\042\003Mul\022\001g\052\034\010\002\020\001B\001wj\021\012\010' >many/g0.onnx
printf 'location\022\005w\056binp\001b\017\012\001y\022\012\012\010\010\001\022\004\012\002\010\002B\002\020\015' >>many/g0.onnx
for i in 1 2 3 4 5; do # records so long that each is written at once
  echo "adtool: 1
inputs: {x: 1.$i}
nodes:
  k: {op: reshape, args: [x], shape: [1]}
  w: {op: broadcast_to, args: [k], shape: [8000]}
outputs: {f: sin(w)}" >many/g$i.yaml
done
: >many/stuck.yaml
find many -type f ! -name '*.bin' | LC_ALL=C sort >list
graphs() { adtool batch --list list --do eval --no-time --quiet "$@"; } # one has an error, so the status is 1
killed_graphs() {
  rm many/stuck.yaml
  mkfifo many/stuck.yaml
  adtool batch --list list --do eval --no-time --quiet -o got.ndjson --threads 1 2>/dev/null &
  pid=$!
  until [ -e got.ndjson.part ] && [ "$(wc -l <got.ndjson.part)" -ge 6 ]; do kill -0 $pid && sleep 0.02; done
  kill -9 $pid
  wait $pid 2>/dev/null || true
  rm many/stuck.yaml
  : >many/stuck.yaml
}
for change in nothing 'many/g3.yaml 26 2' 'many/w.bin 0 !' 'many/g0.onnx 20 *'; do
  killed_graphs
  cp got.ndjson.journal journal
  # shellcheck disable=SC2086
  [ "$change" = nothing ] || change $change
  graphs >want.ndjson || true
  graphs -o got.ndjson || true
  verdict cmp want.ndjson got.ndjson
  # The same for a part that is finished.
  graphs -o part.ndjson --shard 1/1 || true
  verdict cmp want.ndjson part.ndjson.1-of-1
done
touch many/*
says 'is there already' adtool batch --list list --do eval --no-time -o part.ndjson --shard 1/1

# ---- What lies beside the output, or is the output
echo precious >victim
for beside in part journal; do
  for link in -s ''; do
    ln $link victim out.csv.$beside
    fails 5 "remove it, or write somewhere else" adtool batch long.yaml --points x.csv -o out.csv
    rm out.csv.$beside
  done
  mkfifo out.csv.$beside
  fails 5 "is no regular file" adtool batch long.yaml --points x.csv -o out.csv
  rm out.csv.$beside
done
ln -s victim out.csv
adtool batch long.yaml --points x.csv -o out.csv
verdict cmp want.csv out.csv
verdict [ ! -L out.csv ]
ln -s victim out.yaml
adtool fmt same.yaml -o out.yaml
verdict [ ! -L out.yaml ]
verdict [ "$(cat victim)" = precious ]
{ echo first && adtool batch long.yaml --points x.csv -o /dev/stdout && adtool hash same.yaml; } >stream.csv
verdict [ "$(head -n 1 stream.csv)" = first ]
verdict [ "$(sed '1d; $d' stream.csv | cmp - want.csv && echo same)" = same ]

# ---- A pipe in a folder is left out, and so is one beside a graph
mkfifo many/pipe.yaml
says 'many/pipe.yaml is left out' adtool batch many --do eval --no-time -o folder.ndjson
verdict cmp want.ndjson folder.ndjson
rm many/pipe.yaml
adtool convert same.yaml -o same.nl
rm -f same.col
mkfifo same.col
adtool batch same.nl --do eval --no-time -o same.ndjson --shard 1/1
says 'is there already' adtool batch same.nl --do eval --no-time -o same.ndjson --shard 1/1

# ---- A value for an input that the table gives
for table in x.csv -; do fails 2 'leave one of the two out' adtool batch long.yaml --points $table --at x=1 <x.csv; done
fails 2 'leave one of the two out' adtool batch both.yaml --points x.npy --at k=1
adtool batch long.yaml --points x.csv --at k=2 >got.csv
verdict cmp want.csv got.csv

echo "$(((checks - bad) * 100 / checks))%: Checks: $checks, Failures: $bad, Errors: 0"
[ "$bad" -eq 0 ]
