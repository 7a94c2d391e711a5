"""What monitoring's service tests share."""

from pathlib import Path

import pytest


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An empty SQLite database, for what does not depend on SQL."""
    return f"sqlite+aiosqlite:///{tmp_path}/service.db"
