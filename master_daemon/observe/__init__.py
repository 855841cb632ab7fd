"""What an operator sees of the daemon: metrics, logs, and the words in which a wait is explained."""
