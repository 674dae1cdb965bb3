#!/bin/bash
# A sheet in three shards on a cluster with SLURM: sbatch slurm.sh
# The same sbatch again goes on with what the bucket lacks.
#SBATCH --job-name=show
# SLURM_ARRAY_TASK_ID tells a task which shard is its own, SLURM_ARRAY_TASK_COUNT of how many. No more than four at a time: 0-99%20.
#SBATCH --array=0-2
#SBATCH --gpus=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=24G
#SBATCH --time=04:00:00
# A node that fails, or a task that must make room, begins again elsewhere.
#SBATCH --requeue
# Ten minutes before the time is over: the pictures in hand are finished, and nothing new is begun (exit 75). The signal goes to
# the script's own process, which is pregen by then.
#SBATCH --signal=B:USR1@600
#SBATCH --output=show-%A-%a.log
# One file a task goes on over requeues.
#SBATCH --open-mode=append
set -euo pipefail
# Where a site has containers: exec apptainer run --nv show.sif run …
exec pregen run cues.yaml --out "${SLURM_TMPDIR:-out-${SLURM_ARRAY_TASK_ID}}" --format plain
