"""The warning lines that the catalogue of the schools' documents suggests, as data: drafts until a school activates them.

`indicators.json` holds an indicator a line. Its level is the one that the catalogue names as the metric's subject (else the first of
its grain); its window follows from how often the figure comes: week for what comes by the lesson, assignment or day, term and
year for what comes by these, else month. A window is judged when it closes; a count as it comes, for the first one warns. Every
line is yellow: how much worse is orange or red, a school says itself.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

SUGGESTED: tuple[dict[str, Any], ...] = tuple(
    json.loads((Path(__file__).parent / "indicators.json").read_text(encoding="utf-8"), parse_float=Decimal)
)
