"""What all tests have."""

import os

from backend_container import threads
from tests.surroundings import lie_where_sockets_can

lie_where_sockets_can()

# Networks of tests are tiny: threads would cost them more than they bring, most of all beside other tests. Here, for it
# counts from before torch is imported, and for every process that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")
threads.tell()  # a benchmark that is not told would begin anew

pytest_plugins = ["tests.cluster_fixture", "tests.postgresql_fixture", "tests.images_fixture"]
