#!/bin/sh
# Memory that runs out in any command, for inputs of every format: tests/out_of_memory.c says what must hold.
#   tests/out_of_memory.sh        a few allocations of each command, other ones each time
#   tests/out_of_memory.sh all    every single one; for an hour or so
set -eu
examples=$ADTOOL_SRCDIR/tests/examples
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/in"
cd "$work/in"
export ADTOOL_TEST_SEED="${ADTOOL_TEST_SEED:-$$}"
echo "ADTOOL_TEST_SEED=$ADTOOL_TEST_SEED"

cp "$examples"/* .
cat >t.yaml <<'END'
adtool: 1
inputs: {x: [1, 2.5, 3], y: 0.1}
outputs: {f: sum(x*y) + exp(y), g: x*x}
END
cat >s.yaml <<'END'
adtool: 1
inputs: {x: 0.3, y: 0.7}
outputs: {f: lgamma(x) + digamma(y) + erf(x*y) + atan2(x, 1/3)}
END
printf 'w: 1.5\nx: 0.1\n' >p.yaml
printf 'w,x,y\n1,2,3\n4,5,6\n7,8,9\n' >p.csv
printf '../in/tutorial.yaml\n../in/t.yaml\n../in/nothing.yaml\n' >g.list
mkdir folder
for to in adg nl json; do
  adtool convert tutorial.yaml -o "tutorial.$to"
done
adtool convert tutorial.yaml --binary -o binary.nl
cp tutorial.yaml tutorial.nl folder
adtool grad t.yaml --output f --wrt x --format npy -o v.npy

{
  for graph in tutorial.yaml t.yaml tutorial.adg tutorial.nl binary.nl tutorial.json net.onnx constants.yaml; do
    [ -e $graph ] || continue
    graph=../in/$graph
    for more in '' '--format json' '--format csv' '--backend mpfr --digits 20'; do echo "eval $graph $more"; done
    for more in yaml adg nl cppad dot; do echo "convert $graph --to $more"; done
    echo "convert $graph --optimize -o out.adg"
    echo "convert $graph --optimize -o out.nl"
    echo "convert $graph -o out.yaml --explicit"
    echo "info $graph"
    echo "info $graph --format json --after common"
    echo "hash $graph"
    echo "dot $graph"
  done
  for graph in '../in/tutorial.yaml --output loss' '../in/t.yaml --output f'; do
    for format in text json csv; do
      for command in grad jac 'jac --sparse' hess 'hess --sparse' 'jvp --direction x=1' 'hvp --direction x=1' \
        'taylor --order 3 --direction x=1' 'taylor --mixed y,y'; do
        echo "$command $graph --format $format"
      done
      echo "vjp ${graph% --output*} --weight ${graph##* }=2 --format $format"
    done
    for format in text json; do echo "check $graph --format $format"; done
    for more in 'grad --trace' 'grad --trace --mode forward' 'grad --wrt x,y' 'grad --seed 0.1' \
      'grad --backend mpfr --digits 30' 'jac --backend mpfr' 'hess --backend mpfr' 'jac --sparse --format mtx' \
      'jac --sparse --format npz -o out.npz' 'hess --format npy -o out.npy' 'diff --to yaml' 'dot --values --adjoints' \
      'check -o out.txt'; do
      echo "$more $graph"
    done
    echo "fmt ${graph% --output*}"
    echo "fmt ${graph% --output*} --explicit -o out.yaml"
  done
  cat <<'END'
eval ../in/tutorial.yaml --point ../in/p.yaml --at y=1/3
eval ../in/t.yaml --at x=@../in/v.npy
eval ../in/tutorial.yaml ../in/t.yaml
eval ../in/tutorial.yaml --at nothing=1
eval ../in/tutorial.yaml --at nothing=1 --format json
eval ../in/nothing.yaml
eval ../in/p.csv
grad ../in/t.yaml
grad ../in/s.yaml --backend mpfr
check ../in/s.yaml
check ../in/cancel.yaml ../in/ten.yaml
check ../in/cancel.yaml --min-digits 17 -o out.txt
ops
ops --format json
ops add
ops ad
backends
help eval
evall
batch ../in/tutorial.yaml --points ../in/p.csv --threads 2
batch ../in/tutorial.yaml --points ../in/p.csv --reduce sum -o out.npy --threads 1
batch ../in/tutorial.yaml --points ../in/p.csv --shard 1/2 -o out.csv --threads 1
batch ../in/tutorial.yaml ../in/t.yaml --no-time --threads 1
batch --list ../in/g.list --no-time -o out.ndjson --threads 1
batch ../in/folder --no-time --do check --threads 1
END
  for task in eval grad jac hess check; do
    for format in csv ndjson npy; do
      echo "batch ../in/tutorial.yaml --points ../in/p.csv --do $task -o out.$format --threads 1"
    done
  done
} >../list
cd ..
OPENBLAS_NUM_THREADS=1 "$ADTOOL_BUILDDIR/tests/out_of_memory" list "${1-}"
