"""What the tests of faults need of the machine."""

import shutil

import pytest

from tests.conftest import cannot_be_had


@pytest.fixture
def strace() -> str:
    """The program that shows system calls."""
    found = shutil.which("strace")
    if found is None:
        cannot_be_had("strace cannot be had: install it with `apt-get install strace`")
    return found
