"""The `ligan` verbs for operators: status, jobs, explain, drain. Each asks the running daemon's admin API."""
