"""What the roster of the random histories brings, and the same in the model's words."""

from datetime import date
from typing import Any

from tests.service.monitoring.world import CLASSES, COURSES, ENROLLMENTS, ORGS, PEOPLE

# What the roster brings, part by part: an id and what stands in that import.
ARRIVALS: dict[str, dict[str, Any]] = {
    "C1": {"classes": [CLASSES[0]]},
    "C2": {"classes": [CLASSES[1]]},
    **{
        f"S{n}": {
            "people": [PEOPLE[n - 1]],
            "enrollments": [e for e in ENROLLMENTS if e.person == f"S{n}" and e.class_id[0] == "H"],
        }
        for n in (1, 2, 3)
    },
}
FIRST = {"orgs": ORGS, "courses": COURSES, "classes": CLASSES[2:]}  # homerooms are there before who is in them

# The same in the model's words: where a class belongs, who is in which homeroom from when to when.
PLACES: dict[str, tuple[date, dict[str, str]]] = {
    "C1": (date.min, {"course": "K1", "programme": "cnc", "department": "mech"}),
    "C2": (date.min, {"course": "K2", "department": "arts"}),
    "H1": (date.min, {"programme": "cnc", "department": "mech"}),
    "H2": (date.min, {"department": "arts"}),
}
ABOVE = {"K1": PLACES["H1"][1], "K2": PLACES["H2"][1], "cnc": {"department": "mech"}}
HOMES = {
    "S1": [(date.min, date.max, "H1")],
    "S2": [(date.min, date.max, "H2")],
    "S3": [(date.min, date(2026, 3, 9), "H1"), (date(2026, 3, 9), date.max, "H2")],
}
