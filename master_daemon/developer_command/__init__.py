"""The `ligan` verbs for developers: submit, logs, cancel, and their part of jobs. They need the public API alone."""
