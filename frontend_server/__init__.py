"""The frontend server: the web UI and uploads. It runs as a job, without torch, OpenCV or Slurm."""
