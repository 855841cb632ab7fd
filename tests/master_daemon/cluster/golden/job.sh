#!/bin/bash
#SBATCH --job-name=ligan-backend-n0nce
#SBATCH --time=61
#SBATCH --output="/shared/ligan logs/n0nce.log"
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --partition=gpu
#SBATCH "--chdir=/shared/ligan logs"
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --account=faces
#SBATCH "--comment=GPUs for faces"

# The server takes the place of this shell, so Slurm's signals reach it, and reads its bootstrap document, which holds
# the token of this job, from standard input: it stands in no argument list and no environment.
umask 077
exec apptainer exec --nv '/shared/ligan image.sif' python3 -m backend_container <<'END_OF_BOOTSTRAP'
{"token": "t0ken"}
END_OF_BOOTSTRAP
