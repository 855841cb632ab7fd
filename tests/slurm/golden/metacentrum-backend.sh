#!/bin/bash
#SBATCH --job-name=ligan-backend-n0nce
#SBATCH --time=1440
#SBATCH --output=/storage/ligan/logs/n0nce.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --partition=gpu_fast,gpu,gpu_long
#SBATCH --chdir=/storage/ligan/logs
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --mem=32G
#SBATCH "--constraint=ampere|hopper"
#SBATCH --account=lineups
#SBATCH --qos=interactive
#SBATCH --signal=B:TERM@120
#SBATCH --exclude=zia5
#SBATCH --licenses=scratch:1

# The server takes the place of this shell, so Slurm's signals reach it, and reads its bootstrap document, which holds
# the token of this job, from standard input: it stands in no argument list and no environment.
umask 077
exec /opt/ligan/.venv/bin/python -m backend_container <<'END_OF_BOOTSTRAP'
{"token": "t0ken"}
END_OF_BOOTSTRAP
