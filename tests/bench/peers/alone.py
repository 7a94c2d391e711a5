"""Monitoring alone on SQLite files and the embedded bus: the work that its peers do, by the product's own process.

The product refuses this to its users, who would miss the other services; here nothing else is to be measured.
"""

from __future__ import annotations

from libs.common.settings import Settings
from services.app import serve

if __name__ == "__main__":
    serve(Settings.load().model_copy(update={"services": ("monitoring",)}))
