"""The metrics that a school may begin with, as data: the catalogue of the vocational colleges' documents.

`metrics.json` holds a metric a line, as `POST /metrics` takes it. Every school starts with `starting` (Hubei's article 14 and the
usual companions); `further` are there for the asking.
"""

import json
from pathlib import Path

from libs.common.events.monitoring import MetricDefined

_LISTS = json.loads((Path(__file__).parent / "metrics.json").read_text(encoding="utf-8"))

STARTING = tuple(MetricDefined(**each) for each in _LISTS["starting"])
TEMPLATE = (*STARTING, *(MetricDefined(**each) for each in _LISTS["further"]))
