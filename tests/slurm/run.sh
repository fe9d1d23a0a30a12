#!/usr/bin/env bash
# Starts a Slurm of its own on this machine, runs the smoke scale through sbatch to its tables, and ends it again.
# Needs root and Debian's slurm-wlm and munge; nothing of it is left behind but results/smoke and paper_tables/smoke.
#   tests/slurm/run.sh .venv/bin/python
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(realpath -s "${1:-.venv/bin/python}")
for command in slurmctld slurmd sbatch munged; do
    PATH=$PATH:/usr/sbin command -v "$command" >/dev/null || { echo "error: $command was not found; install slurm-wlm and munge" >&2; exit 1; }
done
PATH=$PATH:/usr/sbin
state=$(mktemp -d /tmp/slurm-test.XXXXXX)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    [ "$(readlink /etc/slurm/slurm.conf)" = "$state/slurm.conf" ] && rm -f /etc/slurm/slurm.conf /etc/slurm/gres.conf
    rm -rf "$state"
}
trap finish EXIT

chmod 755 "$state"
mkdir -p "$state/ctld" "$state/d" "$state/munge"
dd if=/dev/urandom of="$state/munge.key" bs=128 count=1 status=none
chmod 400 "$state/munge.key"
# --force: a key and a socket elsewhere than where munge expects them.
munged --foreground --force --key-file="$state/munge.key" --socket="$state/munge.socket" --pid-file="$state/munge/pid" \
    --log-file="$state/munge/log" --seed-file="$state/munge/seed" >"$state/munge/out" 2>&1 &
pids+=($!)
sed -e "s|@HOST@|$(hostname -s)|; s|@STATE@|$state|; s|@CPUS@|$(nproc --all)|" \
    -e "s|@MEMORY@|$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)|" tests/slurm/slurm.conf >"$state/slurm.conf"
# Where Slurm looks by itself: a job's environment has no SLURM_CONF, since the plugin clears such variables.
[ ! -e /etc/slurm/slurm.conf ] || { echo "error: /etc/slurm/slurm.conf exists: this machine has a Slurm of its own; run the test elsewhere" >&2; exit 1; }
mkdir -p /etc/slurm
ln -sf "$state/slurm.conf" /etc/slurm/slurm.conf
# Two GPUs in name only: Slurm hands them out, and the runs, which find none, take the CPU.
echo "Name=gpu File=/dev/null,/dev/zero" >"$state/gres.conf"
ln -sf "$state/gres.conf" /etc/slurm/gres.conf
until [ -S "$state/munge.socket" ]; do sleep 0.2; done
slurmctld -D >"$state/out" 2>&1 &
pids+=($!)
slurmd -D >"$state/d.out" 2>&1 &
pids+=($!)
for _ in $(seq 60); do
    sinfo --noheader --format=%T 2>/dev/null | grep -q idle && break
    sleep 0.5
done
sinfo || { cat "$state"/*.log "$state"/*out >&2; exit 1; }
sinfo --noheader --format=%T | grep -q idle || { tail -n 30 "$state"/*.log >&2; exit 1; }

rm -rf results/smoke paper_tables/smoke
# Small networks: a core and 2 GB a job.
SCALE=smoke "$python" -m snakemake --workflow-profile profiles/slurm --jobs 2 --latency-wait 5 \
    --default-resources slurm_account=test slurm_partition=test mem_mb=2000 runtime=20 cpus_per_task=1 \
    --slurm-init-seconds-before-status-checks 5 --slurm-status-command squeue --resources gpu=2 timing=2 ${ARGS:-} &
# In the background, so that it ends with this script, however that ends.
pids+=($!)
wait $!
test -s paper_tables/smoke/table1.md
test -s paper_tables/smoke/table2.md
echo "jobs that Slurm ran: $(grep -c 'JobId=.* Allocate\|sched: Allocate' "$state/slurmctld.log")"
