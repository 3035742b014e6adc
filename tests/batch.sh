#!/bin/sh
# `adtool batch` from end to end: every way to cut a batch up gives the same bytes, also when runs are killed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
rows=60000
seed=${ADTOOL_TEST_SEED:-20240229}
echo "ADTOOL_TEST_SEED=$seed"
checks=0
bad=0
verdict() {
  checks=$((checks + 1))
  "$@" || { bad=$((bad + 1)) && echo "failed: $*"; }
}

awk -v n=$rows -v seed="$seed" 'BEGIN { srand(seed); print "x"; for (i = 0; i < n; i++) printf "%.17g\n", 6 * rand() - 3 }' >x.csv
cat >wave.yaml <<'END'
adtool: 1
inputs: {x: 1, k: 2}
outputs: {f: sin(k*x) * exp(-x^2) + tanh(x)}
END

for format in csv ndjson npy; do
  adtool batch wave.yaml --points x.csv -o "all.$format" --threads 1
  adtool batch wave.yaml --points x.csv -o "two.$format" --threads 3
  verdict cmp "all.$format" "two.$format"
  adtool batch wave.yaml --points - -o "pipe.$format" <x.csv
  verdict cmp "all.$format" "pipe.$format"
done
adtool batch wave.yaml --points x.csv --threads 2 >out.csv
verdict cmp all.csv out.csv
verdict [ "$(wc -l <all.csv)" -eq $((rows + 1)) ]
verdict [ "$(wc -l <all.ndjson)" -eq $rows ]
verdict [ "$(head -n 1 all.csv)" = 'f,df/dx,df/dk' ]

# A fold has the same bits for any number of threads.
for fold in sum mean min max; do
  adtool batch wave.yaml --points x.csv --reduce $fold --threads 1 >one.$fold
  adtool batch wave.yaml --points x.csv --reduce $fold --threads 3 -o three.$fold --format ndjson
  verdict cmp one.$fold three.$fold
done
# The least and the greatest are in the table itself.
for column in 1 2 3; do
  least=$(tail -n +2 all.csv | cut -d, -f$column | LC_ALL=C sort -g | head -n 1)
  verdict grep -qF -e "$least" one.min
done

# Jacobians and Hessians: the same for all ways to cut the rows up; a line holds what `jac` and `hess` print.
head -n 20001 x.csv >fewer.csv
for task in jac hess; do
  adtool batch wave.yaml --points fewer.csv --do $task -o $task.csv --threads 1
  for part in 1 2 3; do adtool batch wave.yaml --points fewer.csv --do $task -o part.$task --format csv --shard $part/3 --threads 2; done
  adtool merge part.$task.*-of-3 -o merged.csv
  verdict cmp $task.csv merged.csv
  adtool batch wave.yaml --points fewer.csv --do $task --reduce max --threads 1 >one.$task
  adtool batch wave.yaml --points fewer.csv --do $task --reduce max --threads 3 >three.$task
  verdict cmp one.$task three.$task
done
verdict [ "$(head -n 1 jac.csv)" = 'f,df/dx,df/dk' ]
verdict [ "$(head -n 1 hess.csv)" = 'f,df/dx,df/dk,d2f/dxdx,d2f/dxdk,d2f/dkdx,d2f/dkdk' ]
x=$(sed -n 2p fewer.csv)
verdict [ "$(sed -n 2p jac.csv | cut -d, -f2-)" = "$(adtool jac wave.yaml --at "x=$x" --format csv | tail -n +2 | cut -d, -f5 | paste -sd,)" ]
verdict [ "$(sed -n 2p hess.csv | cut -d, -f4-)" = "$(adtool hess wave.yaml --at "x=$x" --format csv | tail -n +2 | cut -d, -f6 | paste -sd,)" ]

# Two outputs: the header says what each column is, by what runs of one output alone give.
sed 's/^outputs:.*/outputs: {f: sin(k*x) * exp(-x^2), g: k * x^3}/' wave.yaml >two.yaml
head -n 100 x.csv >hundred.csv
for task in eval grad hess; do
  adtool batch two.yaml --points hundred.csv --do $task -o two.$task.csv
  for output in f g; do adtool batch two.yaml --points hundred.csv --do $task --output $output -o two.$output.csv; done
  paste -d, two.f.csv two.g.csv >pasted.csv
  verdict cmp two.$task.csv pasted.csv
done
verdict [ "$(head -n 1 two.eval.csv)" = 'f,g' ]
verdict [ "$(head -n 1 two.grad.csv)" = 'f,df/dx,df/dk,g,dg/dx,dg/dk' ]
verdict [ "$(head -n 1 two.hess.csv)" = \
  'f,df/dx,df/dk,d2f/dxdx,d2f/dxdk,d2f/dkdx,d2f/dkdk,g,dg/dx,dg/dk,d2g/dxdx,d2g/dxdk,d2g/dkdx,d2g/dkdk' ]
printf 'x\n3\n' >three.csv # g = 54 there, by hand
verdict [ "$(adtool batch two.yaml --points three.csv --do hess | tail -n 1 | cut -d, -f8-)" = '54,54,27,36,27,27,0' ]

# Parts put together are the whole, in any number; a finished part is not done again; wrong sets are refused.
for format in csv ndjson npy; do
  for of in 1 3 40; do
    part=1
    while [ $part -le $of ]; do
      adtool batch wave.yaml --points x.csv -o part.$format --shard $part/$of
      part=$((part + 1))
    done
    adtool merge part.$format.*-of-"$of" part.$format.*.shard -o merged.$format
    verdict cmp all.$format merged.$format
  done
done
verdict grep -q 'there already' <<END
$(adtool batch wave.yaml --points x.csv -o part.npy --shard 2/3 2>&1)
END
refused() {
  message=$1
  shift
  status=0
  "$@" >refused.out 2>&1 || status=$?
  verdict [ $status -eq 3 ]
  verdict grep -q "$message" refused.out
}
refused 'part 2 of 3 is missing' adtool merge part.npy.1-of-3 part.npy.3-of-3 -o no.npy
refused 'part 3 of 3 is missing' adtool merge part.npy.1-of-3 part.npy.2-of-3 -o no.npy
refused 'there twice' adtool merge part.npy.1-of-3 part.npy.1-of-3 part.npy.2-of-3 -o no.npy
refused 'different batches (format)' adtool merge part.npy.1-of-3 part.csv.2-of-3 -o no.npy
sed 's/tanh/sinh/' wave.yaml >other.yaml
adtool batch other.yaml --points x.csv -o other.npy --shard 2/3
refused 'different batches (graph)' adtool merge part.npy.1-of-3 other.npy.2-of-3 part.npy.3-of-3 -o no.npy
cp part.npy.2-of-3 broken.npy
cp part.npy.2-of-3.shard broken.npy.shard
printf x | dd of=broken.npy bs=1 seek=5000 conv=notrunc 2>/dev/null
refused 'other bytes' adtool merge part.npy.1-of-3 broken.npy part.npy.3-of-3 -o no.npy
verdict [ ! -e no.npy ]

# Folds of parts as well.
adtool batch wave.yaml --points x.csv --reduce mean -o mean.npy
for part in 1 2 3 4 5; do
  adtool batch wave.yaml --points x.csv --reduce mean -o fold.npy --shard $part/5 --threads 2
done
adtool merge fold.npy.* -o merged.npy
verdict cmp mean.npy merged.npy

# Many graphs: one record each, in order; a bad one is a record; what single runs print is what the records hold.
mkdir -p many/deep
i=100
while [ $i -lt 160 ]; do
  sed "s/k: 2/k: 2.$i/" wave.yaml >many/g$i.yaml
  i=$((i + 1))
done
cp wave.yaml many/deep/a.yaml
adtool convert wave.yaml -o many/deep/b.adg
echo 'adtool: 1' >many/bad.yaml
echo 'not a graph' >many/notes.txt
echo "inputs: {x: 1}" >many/worse.yaml
status=0
adtool batch many --no-time -o many.ndjson --quiet || status=$?
verdict [ $status -eq 1 ]
verdict [ "$(wc -l <many.ndjson)" -eq 64 ]
verdict [ "$(grep -c '"status": "error", "error": {"message": ' many.ndjson)" -eq 2 ]
find many -type f ! -name '*.txt' | LC_ALL=C sort >list
adtool batch --list list --no-time --threads 3 --quiet >listed.ndjson || true
verdict cmp many.ndjson listed.ndjson
for g in many/g100.yaml many/deep/b.adg; do
  want=$(adtool grad $g --format json | sed 's/.*"outputs": //; s/}$//')
  verdict grep -qF -e "\"$g\", \"status\": \"ok\", \"outputs\": $want}" many.ndjson
done
for part in 1 2 3; do adtool batch --list list --no-time -o many.parts --shard $part/3 --quiet || true; done
adtool merge many.parts.* -o merged.ndjson
verdict cmp many.ndjson merged.ndjson
status=0
adtool batch many/g1*.yaml --do check --quiet >checked.ndjson || status=$?
verdict [ $status -eq 0 ]
verdict [ "$(grep -c '"verdict": "pass"' checked.ndjson)" -eq 60 ]
awk 'BEGIN { print "adtool: 1\ninputs: {x: 1}\nnodes:\n  n0: sin(x)"; for (i = 1; i < 300; i++) print "  n" i ": sin(n" i-1 ")"; print "outputs: {f: n299}" }' >long.yaml
adtool batch wave.yaml long.yaml wave.yaml --backend mpfr --precision 9000000 --max-precision 9000000 --timeout 0.2 \
  --threads 1 --no-time --quiet >late.ndjson || true
verdict [ "$(grep -c '"graph": "long.yaml", "status": "timeout"' late.ndjson)" -eq 1 ]
verdict [ "$(wc -l <late.ndjson)" -eq 3 ]

# Killed at random moments, a run goes on where it was.  ended SECONDS COMMAND...: is killed after so long, if not done.
cat >wide.yaml <<'END'
adtool: 1
inputs: {x: 1}
nodes:
  k: {op: reshape, args: [x], shape: [1]}
  w: {op: broadcast_to, args: [k], shape: [40]}
outputs: {f: sin(w)}
END
head -n 20001 x.csv >some.csv
moments() { # COUNT LONGEST
  awk -v n="$1" -v most="$2" -v seed="$seed" 'BEGIN { srand(seed); while (n--) printf "%.4f\n", most * rand() }'
}
ended() {
  wait_for=$1
  shift
  "$@" 2>/dev/null &
  pid=$!
  sleep "$wait_for"
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
}
seconds() { # of COMMAND
  began=$(date +%s%N)
  "$@"
  took=$(awk -v a="$began" -v b="$(date +%s%N)" 'BEGIN { print (b - a) / 1e9 }')
}
resumed=0
for format in csv npy; do
  seconds adtool batch wide.yaml --points some.csv --do eval -o want.$format --threads 2
  for moment in $(moments 10 "$took"); do
    ended "$moment" adtool batch wide.yaml --points some.csv --do eval -o killed.$format --threads 2
    if [ -e killed.$format ]; then # done already
      verdict cmp want.$format killed.$format
      rm killed.$format
    elif [ -s killed.$format.part ]; then
      resumed=$((resumed + 1))
    fi
  done
  adtool batch wide.yaml --points some.csv --do eval -o killed.$format --threads 2
  verdict cmp want.$format killed.$format
  verdict [ ! -e killed.$format.part ]
  verdict [ ! -e killed.$format.journal ]
done
verdict [ $resumed -gt 0 ]

# The same for many graphs, two of which are none: whatever was killed, the records are all there and the status is 1.
checked() { # ARGUMENTS...
  status=0
  adtool batch --list list --do check --no-time --quiet "$@" || status=$?
  verdict [ $status -eq 1 ]
}
seconds checked -o checks.ndjson
verdict [ "$(wc -l <checks.ndjson)" -eq 64 ]
for moment in $(moments 10 "$took"); do
  ended "$moment" adtool batch --list list --do check --no-time --quiet -o killed.ndjson --threads 2
  if [ -e killed.ndjson ]; then
    verdict cmp checks.ndjson killed.ndjson
    rm killed.ndjson
  fi
done
checked -o killed.ndjson
verdict cmp checks.ndjson killed.ndjson
checked -o status.ndjson --shard 1/1
checked -o status.ndjson --shard 1/1
verdict cmp checks.ndjson status.ndjson.1-of-1

# A worker that dies takes the graph that it was at with it, no other; so does it at random moments.  A leak sanitizer
# would have a child of its own at the end, which must not be killed.
ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
export ASAN_OPTIONS
for moment in $(moments 10 "$took"); do
  adtool batch --list list --do check --no-time --quiet -o worker.ndjson --threads 2 2>/dev/null &
  pid=$!
  sleep "$moment"
  worker=$(cat /proc/$pid/task/$pid/children 2>/dev/null | cut -d' ' -f1)
  if [ -n "$worker" ]; then kill -9 "$worker" 2>/dev/null || true; fi
  wait $pid || true
  verdict [ "$(wc -l <worker.ndjson)" -eq 64 ]
  lost=$(grep -c '"status": "crashed"' worker.ndjson || true)
  verdict [ "$lost" -le 1 ]
  verdict [ "$(diff checks.ndjson worker.ndjson | grep -c '^>')" -eq "$lost" ]
done

echo "$(((checks - bad) * 100 / checks))%: Checks: $checks, Failures: $bad, Errors: 0"
[ "$bad" -eq 0 ]
