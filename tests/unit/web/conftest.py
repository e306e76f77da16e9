from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .platform import Site, site


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    """A platform whose node does not answer."""
    async with site(tmp_path) as made:
        yield made
