"""What the demo's campus reports: valid, the same each time, weak where it should be."""

from collections import Counter
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from services.gateway import demo_school
from services.gateway.simulator import FEATURED, Campus, school_days_before
from services.monitoring.templates import STARTING

AT = datetime(2026, 3, 4, 9, tzinfo=UTC)
METRICS = {metric.code: metric for metric in STARTING}


def lessons(campus: Campus, count: int) -> list[dict[str, list[dict[str, Any]]]]:
    return [campus.lesson(taught, AT) for taught in islice(campus.timetable(), count)]


def everything(campus: Campus) -> list[dict[str, Any]]:
    told = [campus.yesterday(AT), campus.past(date(2026, 2, 27)), *lessons(campus, 60)]
    return [event for each in told for events in each.values() for event in events]


def test_every_event_names_what_its_metric_needs_and_a_source_that_the_key_may_send() -> None:
    for event in everything(Campus("run")):
        data = event["data"]
        metric = METRICS[data["metric"]]
        assert set(metric.grain) <= set(data)
        assert "student" in metric.grain or "student" not in data
        assert 0 <= data["numerator"] <= data["denominator"]
        assert event["source"] in {f"urn:campus:demo:{name}" for name in demo_school.SOURCES}


def test_no_two_events_share_an_id_and_no_batch_is_too_large() -> None:
    campus = Campus("run")
    told = [campus.yesterday(AT), campus.past(date(2026, 2, 27)), *lessons(campus, 60)]
    batches = [events for each in told for events in each.values()]

    ids = Counter(event["id"] for events in batches for event in events)
    assert ids.most_common(1)[0][1] == 1
    assert max(map(len, batches)) <= 1000


def test_the_same_run_reports_the_same() -> None:
    assert everything(Campus("run")) == everything(Campus("run"))


def test_the_past_is_the_same_in_every_run_and_ends_before_this_week() -> None:
    days = school_days_before(date(2026, 3, 4))

    assert (days[0], days[-1], len(days)) == (date(2026, 2, 27), date(2026, 2, 16), 10)
    assert Campus("one").past(days[0]) == Campus("two").past(days[0])


def test_featured_classes_begin_weak_and_recover() -> None:
    campus = Campus("run")
    rates: dict[str, list[float]] = {name: [] for name in FEATURED}
    for taught, told in zip(islice(campus.timetable(), 60), lessons(Campus("run"), 60), strict=True):
        heads = [e["data"] for e in told["attendance"] if e["data"]["metric"] == "lesson_attendance"]
        if taught.id in FEATURED:
            rates[taught.id].append(heads[0]["numerator"] / heads[0]["denominator"])

    assert all(max(seen[:2]) < 0.75 for seen in rates.values())
    assert all(min(seen[3:]) > 0.88 for seen in rates.values())
