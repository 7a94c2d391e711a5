"""Files as people see them."""

from __future__ import annotations

from datetime import datetime

from libs.common.http import View


class FileView(View):
    """A file that was handed in; evidence names it by its `path`."""

    path: str
    sha256: str
    name: str
    media: str
    size: int
    at: datetime
