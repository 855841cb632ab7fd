#!/bin/bash
#SBATCH --job-name=@{name}
#SBATCH --time=@{minutes}
#SBATCH --output=@{log}
#SBATCH --open-mode=append
#SBATCH --no-requeue
@{options}

# The server takes the place of this shell, so Slurm's signals reach it, and reads its bootstrap document, which holds
# the token of this job, from standard input: it stands in no argument list and no environment.
umask 077
exec @{command} <<'@{delimiter}'
@{bootstrap}
@{delimiter}
