#!/bin/sh
# Runs the benchmark and puts its table between the two marks of a page.
#   tests/bench/update.sh PROGRAM PAGE [OPTION...]
set -eu
program=$1
page=$2
shift 2
table=$(mktemp)
trap 'rm -f "$table" "$page.new"' EXIT
"$program" --markdown "$@" >"$table"
awk -v table="$table" '
  /^<!-- end of table/ { inside = 0 }
  !inside { print }
  /^<!-- table/ {
    inside = 1
    while ((getline line <table) > 0) print line
  }' "$page" >"$page.new"
mv "$page.new" "$page"
