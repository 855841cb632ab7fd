"""`python -m ligan`: the `ligan` command."""

import sys

from ligan.command import main

sys.exit(main())
