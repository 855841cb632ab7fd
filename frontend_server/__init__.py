"""The frontend server: the web UI, uploads and task forms. It runs as a job, without torch, OpenCV or Slurm."""
