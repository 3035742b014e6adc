#!/bin/sh
# Makes ./configure from configure.ac; the same as autoreconf -fi.
set -eu
cd "$(dirname "$0")"
exec autoreconf --force --install
