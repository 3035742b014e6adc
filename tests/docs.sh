#!/bin/sh
# Runs every `$ command` of the README and the manual and compares what it prints with what the page shows; and compares
# the pages that follow from the program with what it says today.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/here" "$work/commands"
ln -s "$ADTOOL_SRCDIR/tests" "$work/here/tests"
ln -s "$ADTOOL_BUILDDIR/doc/example" "$work/here/example"

# Splits a page into NNN.run (the command, with where it stands) and NNN.want.
split() {
  awk -v page="$1" -v out="$work/commands/$2" '
    function plain(s) {
      if (page ~ /\.texi$/) { gsub(/@\{/, "{", s); gsub(/@\}/, "}", s); gsub(/@@/, "@", s) }
      return s
    }
    /^```|^@end example/ { inside = 0 }
    inside && /^\$ / {
      n++
      base = sprintf("%s-%03d", out, n)
      printf "" > (base ".want")
      print page ":" NR > (base ".place")
      print plain(substr($0, 3)) > (base ".run")
      next
    }
    inside && n { print plain($0) > (base ".want") }
    /^```console|^@example/ { inside = 1; base = "/dev/null" }
  ' "$ADTOOL_SRCDIR/$1"
}
split README.md readme
split doc/adtool.texi manual

checks=0
bad=0
verdict() {
  checks=$((checks + 1))
  if ! diff -u "$2" "$3" >"$work/diff"; then
    bad=$((bad + 1))
    echo "$1: not what the page shows (-):"
    tail -n +3 "$work/diff"
  fi
}

# Models in ONNX can be shown only where adtool was built with it.
case $(adtool info "$ADTOOL_SRCDIR/tests/examples/net.onnx" 2>&1) in
  *'built without ONNX'*) onnx=no ;;
  *) onnx=yes ;;
esac

for run in "$work"/commands/*.run; do
  base=${run%.run}
  case $onnx/$(cat "$run") in no/*.onnx*) continue ;; esac
  (cd "$work/here" && NO_COLOR=1 sh "$run" >"$base.got" 2>&1 </dev/null) || true
  verdict "$(cat "$base.place"): $(cat "$run")" "$base.want" "$base.got"
done
[ "$checks" -gt 0 ] || { echo "no command found in the pages" && exit 1; }

mkdir "$work/pages"
sh "$ADTOOL_SRCDIR/doc/pages.sh" adtool "$work/pages"
for page in "$work"/pages/*; do
  verdict "doc/${page##*/}, which \`make update-docs\` renews" "$ADTOOL_SRCDIR/doc/${page##*/}" "$page"
done

echo "$(((checks - bad) * 100 / checks))%: Checks: $checks, Failures: $bad, Errors: 0"
[ "$bad" -eq 0 ]
