#!/bin/sh
# A batch as an array job of Slurm, a part of the rows for each task:
#   sbatch --array=1-16 batch-slurm.sh GRAPH POINTS RESULT [OPTION...]
# and when all have ended, also after a task was lost with its node and the same command was given again:
#   adtool merge RESULT.*-of-16 -o RESULT
#SBATCH --job-name=adtool
#SBATCH --requeue
#SBATCH --open-mode=append
set -eu
graph=$1
points=$2
result=$3
shift 3
exec adtool batch "$graph" --points "$points" -o "$result" --shard auto --threads "${SLURM_CPUS_PER_TASK:-1}" "$@"
