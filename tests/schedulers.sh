#!/bin/sh
# The scripts for GNU parallel and Slurm in doc/ give the bytes of one run; so they do when a node of a Slurm cluster dies
# with its tasks.  The cluster is one of two nodes on this machine, with keys, ports and folders of its own, and needs no
# privileges.  What is not installed is skipped.
# shellcheck disable=SC2317 # what traps and until_true call
set -eu
work=$(mktemp -d)
daemons=
finish() {
  # shellcheck disable=SC2086 # a list
  [ -z "$daemons" ] || kill -9 $daemons 2>/dev/null || true
  for pid in "$work"/*.pid "$work"/task.*; do
    [ ! -s "$pid" ] || kill -9 "$(cat "$pid")" 2>/dev/null || true
  done
  rm -rf "$work" 2>/dev/null || { sleep 1 && rm -rf "$work"; }
}
trap finish EXIT
cd "$work"
doc=$ADTOOL_SRCDIR/doc
PATH=$PATH:/usr/sbin:/sbin
checks=0
bad=0
verdict() {
  checks=$((checks + 1))
  "$@" || { bad=$((bad + 1)) && echo "failed: $*"; }
}
ended() {
  [ $checks -gt 0 ] || exit 77
  echo "$(((checks - bad) * 100 / checks))%: Checks: $checks, Failures: $bad, Errors: 0"
  [ "$bad" -eq 0 ] || exit 1
  exit 0
}
have() {
  for program in "$@"; do
    command -v "$program" >/dev/null || { echo "skipped, there is no $program" && return 1; }
  done
}
# until_true SECONDS COMMAND...
until_true() {
  left=$(($1 * 5))
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || return 1
    sleep 0.2
  done
}

awk 'BEGIN { print "x"; for (i = 0; i < 20000; i++) printf "%.17g\n", (i * 0.618 % 6) - 3 }' >x.csv
cat >wave.yaml <<'EOF'
adtool: 1
inputs: {x: 1, k: 2}
outputs: {f: sin(k*x) * exp(-x^2) + tanh(x)}
EOF
adtool batch wave.yaml --points x.csv -o want.npy --quiet

# ---- GNU parallel

if have parallel; then
  HOME=$work "$doc/batch-parallel.sh" wave.yaml x.csv result.npy 2>parallel.err
  verdict cmp want.npy result.npy
  rm result.npy*
fi

# ---- Slurm

have munged slurmctld slurmd sbatch squeue scontrol sinfo || ended
host=$(hostname -s)
port=$((20000 + $$ % 20000))
chmod 755 "$work"
mkdir -m 755 munge
mkdir -m 700 state key
dd if=/dev/urandom of=key/munge.key bs=64 count=1 2>/dev/null
chmod 400 key/munge.key
munged --foreground --force --socket="$work/munge/socket" --key-file="$work/key/munge.key" \
  --pid-file="$work/munge.pid" --log-file="$work/munged.log" --seed-file="$work/state/seed" >munged.out 2>&1 &
daemons="$daemons $!"
cat >slurm.conf <<EOF
ClusterName=adtool
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldPort=$port
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool.%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.%n.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
SchedulerParameters=sched_interval=2,batch_sched_delay=0
KillWait=1
MessageTimeout=5
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 2))] CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
EOF
export SLURM_CONF="$work/slurm.conf"
mkdir spool.n1 spool.n2 bin
# Each task says which process it is.
cat >bin/adtool <<EOF
#!/bin/sh
[ -z "\${SLURMD_NODENAME-}" ] || echo \$\$ >"$work/task.\$SLURMD_NODENAME.\$SLURM_ARRAY_TASK_ID"
exec "$(command -v adtool)" "\$@"
EOF
chmod +x bin/adtool
PATH=$work/bin:$PATH
until_true 10 [ -S munge/socket ] || { echo "skipped, munged does not start: $(cat munged.out)" && ended; }
slurmctld -D >slurmctld.out 2>&1 &
daemons="$daemons $!"
start_node() {
  slurmd -D -N "$1" >"slurmd.$1.out" 2>&1 &
  node=$!
  daemons="$daemons $node"
}
start_node n2
start_node n1
idle() { [ "$(sinfo -h -N -t idle -o %n | wc -l)" -eq 2 ]; }
until_true 30 idle || {
  echo "skipped, Slurm's daemons do not start here:"
  tail -n 5 slurmctld.out slurmctld.log slurmd.n1.log slurmd.n1.out 2>/dev/null
  ended
}
no_job() {
  for job in $(squeue -h -t PD -o %A); do scontrol update JobId="$job" StartTime=now; done # Slurm lets requeued ones wait
  [ -z "$(squeue -h)" ]
}

submit() { # RESULT OPTIONS...
  sbatch --array=1-4 --output="$work/job.out" --export=ALL "$doc/batch-slurm.sh" wave.yaml x.csv "$@" >sbatch.out
}
submit result.npy
verdict until_true 60 no_job
adtool merge result.npy.*-of-4 -o result.npy || cat job.out slurmctld.log
verdict cmp want.npy result.npy

# A node dies with its tasks, in the middle of their parts; the other takes them up where they were.
adtool batch wave.yaml --points x.csv --do check -o want.ndjson --quiet --threads 2
rm -f task.*
submit check.ndjson --do check
begun() { [ -s task.n1.1 ] && [ -s check.ndjson.1-of-4.part ] && [ "$(wc -l <check.ndjson.1-of-4.part)" -gt 100 ]; }
verdict until_true 60 begun
parents=
for task in task.n1.*; do parents="$parents $(ps -o ppid= -p "$(cat "$task")")"; done
# shellcheck disable=SC2086 # a list; slurmstepd would tell that its task has died
kill -9 $node $parents
for task in task.n1.*; do kill -9 "$(cat "$task")"; done
verdict [ -s check.ndjson.1-of-4.part ]
verdict [ ! -e check.ndjson.1-of-4 ]
scontrol update NodeName=n1 State=DOWN Reason=killed
verdict until_true 120 no_job
adtool merge check.ndjson.*-of-4 -o check.ndjson || cat job.out slurmctld.log
verdict cmp want.ndjson check.ndjson
ended
