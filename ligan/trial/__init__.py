"""The job of a developer's test job: fetch the folder, run the command, send home what it prints and leaves.

It stands in `ligan`, and so in every image and on every node: a trial may run in any of them.
"""
