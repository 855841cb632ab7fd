"""`ligan init`: a commented site file out of what the cluster says of itself, and a systemd unit that runs it."""
