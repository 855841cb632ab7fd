#!/bin/bash
#SBATCH --job-name=ligan-frontend-n0nce
#SBATCH --time=20160
#SBATCH --output=/storage/ligan/logs/n0nce.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --partition=cpu
#SBATCH --chdir=/storage/ligan/logs
#SBATCH --cpus-per-task=1
#SBATCH --mem=1G
#SBATCH --account=lineups
#SBATCH --qos=normal

# The server takes the place of this shell, so Slurm's signals reach it, and reads its bootstrap document, which holds
# the token of this job, from standard input: it stands in no argument list and no environment.
umask 077
exec /opt/ligan/.venv/bin/python -m frontend_server <<'END_OF_BOOTSTRAP'
{"token": "t0ken"}
END_OF_BOOTSTRAP
