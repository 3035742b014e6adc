#!/bin/sh
# A batch in 16 parts by GNU parallel, which with -S HOST,... spreads them over hosts that share a file system:
#   batch-parallel.sh GRAPH POINTS RESULT
# Given again after a failure it does what is missing.
set -eu
parallel --will-cite --wd . adtool batch "$1" --points "$2" -o "$3" --threads 1 --shard '{}/16' ::: $(seq 16)
adtool merge "$3".*-of-16 -o "$3"
