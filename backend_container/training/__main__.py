"""`python -m backend_container.training KIND ...`: `ligan train` where LiGAN is not installed, and for torchrun."""

from __future__ import annotations

import argparse
import sys

from backend_container.training.command import add_arguments, train

parser = argparse.ArgumentParser(prog="ligan train")
add_arguments(parser)
sys.exit(train(parser.parse_args()))
