"""What all tests have."""

import os

# Networks of tests are tiny: threads would cost them more than they bring, most of all beside other tests. Here, for it
# counts from before torch is imported, and for every process that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in a backend; a benchmark without it would begin anew

pytest_plugins = ["tests.cluster_fixture", "tests.postgresql_fixture", "tests.images_fixture"]
