#!/bin/sh
# Graphviz reads the pictures: as many boxes come out as went in, and names come out as they were.
set -u
command -v dot >/dev/null || { echo 'skipped: there is no dot (package graphviz)' && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0
bad=0

fail() {
  bad=$((bad + 1))
  echo "$1"
}

# draw OPTIONS GRAPH: into $work/picture.svg
draw() {
  checks=$((checks + 1))
  # shellcheck disable=SC2086 # a list of options
  adtool dot $1 "$2" >"$work/picture.dot" 2>"$work/notes" || { fail "adtool dot $1 $2: $(cat "$work/notes")" && return; }
  dot -Tsvg "$work/picture.dot" >"$work/picture.svg" 2>"$work/messages" || fail "dot refuses that of $1 $2"
  [ ! -s "$work/messages" ] || fail "dot says of $1 $2: $(head -n 1 "$work/messages")"
  want=$(grep -c '^ *n[0-9]* \[' "$work/picture.dot")
  got=$(grep -c 'class="node"' "$work/picture.svg")
  [ "$want" -eq "$got" ] || fail "$1 $2: $want boxes, $got in the picture"
}

for graph in "$ADTOOL_SRCDIR"/tests/examples/*.yaml; do
  draw '' "$graph"
  draw '--shapes --values --max-shown 8' "$graph"
done

cat >"$work/names.yaml" <<'END'
adtool: 1
name: "a \\ \"b\" & é"
inputs: {"x\\n&lt;<b>": [[1, 2], [3, 4]], "日本": 0.5, "\\N": 1}
nodes: {"q\"": "sum(`x\\n&lt;<b>`[:, 1])*`日本` + `\\N`"}
outputs: {"\\": "`q\"`"}
END
draw '--shapes' "$work/names.yaml"
for text in 'x\n&amp;lt;&lt;b&gt;' '日本' '\N' 'q&quot;, \' 'a \\ &quot;b&quot; &amp; é'; do
  checks=$((checks + 1))
  grep -qF ">$text<" "$work/picture.svg" || fail "no $text in the picture"
done

checks=$((checks + 1))
adtool convert --to dot "$ADTOOL_SRCDIR/tests/examples/network.yaml" | dot -Tsvg >/dev/null 2>&1 || fail 'convert --to dot'

echo "$(((checks - bad) * 100 / checks))%: Checks: $checks, Failures: $bad, Errors: 0"
[ "$bad" -eq 0 ]
