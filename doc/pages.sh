#!/bin/sh
# Writes what follows from the program itself into a folder: the man pages and commands.texi from the help texts,
# ops.texi from the operation table.   doc/pages.sh ADTOOL FOLDER
set -eu
adtool=$1
folder=$2

# One help text as a page.  Its parts: usage; paragraphs, with examples and lists indented; options.
page() {
  awk -v form="$1" -v name="$2" -v summary="$3" '
    function man(s) { gsub(/\\/, "\\e", s); gsub(/-/, "\\-", s); sub(/^[.\047]/, "\\\\\\&&", s); return s }
    function texi(s) { gsub(/[@{}]/, "@&", s); return s }
    function marked(s) {
      gsub(/--[a-z][a-z-]*/, "@option{&}", s)
      while (sub(/`/, "@code{", s)) sub(/`/, "}", s)
      return s
    }
    function shared(option) { return option ~ /^(--max-(nodes|elements|memory|precision|yaml|expr|scalar)|-h)/ }
    function literal(on) {
      if (on == inside) return
      inside = on
      print form == "man" ? (on ? ".nf" : ".fi") : (on ? "@verbatim" : "@end verbatim")
    }
    NR == 1 && form == "man" {
      print ".TH " toupper(name) " 1 \"\" adtool\n.SH NAME\n" name " \\- " summary
      print ".SH SYNOPSIS\n.B " man(substr($0, 8)) "\n.SH DESCRIPTION"
    }
    NR == 1 && form == "texi" {
      command = name; sub(/-/, " ", command)
      print "@node " command "\n@subsection " command "\n@pindex " command "\n\n@example\n" texi(substr($0, 8)) "\n@end example\n"
    }
    NR <= 2 { next }
    /^  -/ {
      option = substr($0, 3, 26); sub(/ +$/, "", option)
      text = substr($0, 30)
      if (form == "texi" && shared(option)) next
      if (!options++) { literal(0); print form == "man" ? ".SH OPTIONS" : "@table @option" }
      if (form == "man") print ".TP\n.B " man(option) "\n" man(text)
      else print "@item " texi(option) "\n" marked(texi(text)) "."
      next
    }
    /^  [a-z]+ / && name == "adtool" { print ".TP\n.BR adtool\\-" $1 " (1)"; sub(/^  [a-z]+ +/, ""); print man($0); next }
    /^  / { literal(1); print form == "man" ? man($0) : $0; next }
    /^$/ { if (!options) { literal(0); print form == "man" ? ".PP" : "" }; next }
    { literal(0); print form == "man" ? man($0) : marked(texi($0)) }
    END {
      literal(0)
      if (options && form == "texi") print "@end table\n"
      if (form == "man" && name == "adtool") {
        print ".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nwhen set, messages have no colour, also on a terminal"
        print ".TP\n.B ADTOOL_SIMD\nthe instruction set to use: avx512, avx2, sse2 or none; without it, the best one there is"
      }
      if (form == "man") {
        print ".SH SEE ALSO" (name == "adtool" ? "" : "\n.BR adtool (1)")
        print "The manual:\n.B info adtool"
      }
    }'
}

commands=$("$adtool" help | sed -n 's/^  \([a-z]*\)  *\(.*\)/\1:\2/p')
"$adtool" help | page man adtool 'derivatives of saved computational graphs' >"$folder/adtool.1"
{
  echo @menu
  echo "$commands" | sed 's/\([a-z]*\):\(.*\)/* adtool \1::  \2./'
  echo '@end menu'
  echo
} >"$folder/commands.texi"
echo "$commands" | while IFS=: read -r command summary; do
  "$adtool" help "$command" | page man "adtool-$command" "$summary" >"$folder/adtool-$command.1"
  "$adtool" help "$command" | page texi "adtool-$command" "$summary" >>"$folder/commands.texi"
done
"$adtool" ops --format texinfo >"$folder/ops.texi"
