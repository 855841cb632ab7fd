#!/bin/bash
#SBATCH --job-name=ligan-cpu-n0nce
#SBATCH --time=1440
#SBATCH --output=/home/ligan/logs/n0nce.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --partition=cpu-elp
#SBATCH --chdir=/home/ligan/logs
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G

# The server takes the place of this shell, so Slurm's signals reach it, and reads its bootstrap document, which holds
# the token of this job, from standard input: it stands in no argument list and no environment.
umask 077
exec /opt/ligan/.venv/bin/python -m backend_container <<'END_OF_BOOTSTRAP'
{"token": "t0ken"}
END_OF_BOOTSTRAP
