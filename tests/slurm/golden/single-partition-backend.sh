#!/bin/bash
#SBATCH --job-name=ligan-backend-n0nce
#SBATCH --time=480
#SBATCH --output=/nfs/ligan/logs/n0nce.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --partition=main
#SBATCH --chdir=/nfs/ligan/logs
#SBATCH --gres=gpu:a100:1
#SBATCH --cpus-per-task=4
#SBATCH --mem=24G

# The server takes the place of this shell, so Slurm's signals reach it, and reads its bootstrap document, which holds
# the token of this job, from standard input: it stands in no argument list and no environment.
umask 077
exec /opt/ligan/.venv/bin/python -m backend_container <<'END_OF_BOOTSTRAP'
{"token": "t0ken"}
END_OF_BOOTSTRAP
