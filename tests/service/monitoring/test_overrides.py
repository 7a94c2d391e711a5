"""Lines of units: the most specific decides, a unit may be off, a warning says whose line it was, and moves tell stories anew."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from libs.common.events.monitoring import WarningRaised
from tests.conftest import SettableClock
from tests.service.monitoring.test_explaining import explained
from tests.service.monitoring.test_rebuilding import rebuilt
from tests.service.monitoring.world import (
    CLASSES,
    NOW,
    close_windows,
    correction,
    indicator,
    monitoring,
    own,
    roster,
    sent,
    take,
    told,
    warned,
)

MECH = own("department", "mech", {"orange": ("0.5", "0.6")})
UNITS = indicator("rate", {"yellow": ("0.8", "0.85")}, overrides=[MECH, own("class", "C2", {})])
SUNDAY = datetime(2026, 3, 8, 4, 0, tzinfo=UTC)


async def test_a_unit_is_judged_by_its_own_lines_and_the_warning_says_so(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), UNITS) as sut:
        await take(sut, sent("a", 6, 10), sent("b", 0, 10, class_="C2", student="S2"), sent("c", 7, 10, class_="H1", student="S3"))
        assert await told(sut) == [], "C1 and H1 lie in mech, C2 is off"

        await take(sut, sent("d", 0, 10))
        (message,) = await sut.published()
        event = message.event
        assert isinstance(event, WarningRaised)
        assert (event.subject, event.severity, str(event.line), str(event.clear)) == ("C1", "orange", "0.5", "0.6")
        assert event.override == {"department": "mech"}

        (warning,) = await warned(sut)
        assert (str(warning["line"]), warning["version"], warning["override"]) == ("0.5", 1, {"department": "mech"})
        why = await explained(sut)
        assert (why["override"], "低于 0.5 预警，不低于 0.6 解除" in why["formula"]["zh"]) == ({"department": "mech"}, True)


async def test_the_most_specific_of_a_subjects_units_decides(tmp_path: Path) -> None:
    units = [
        own("department", "mech", {"red": ("0.9", "0.9")}),
        own("programme", "cnc", {"orange": ("0.9", "0.9")}),
        own("course", "K1", {"yellow": ("0.9", "0.9")}),
        own("class", "H1", {"blue": ("0.9", "0.9")}),
    ]
    codes = [
        indicator(level, {"red": ("0.1", "0.1")}, level=level, overrides=units) for level in ("class", "student", "department")
    ]
    async with monitoring(f"sqlite+aiosqlite:///{tmp_path}/m.db", tmp_path, lambda: NOW, roster(), *codes) as sut:
        await take(sut, sent("a", 5, 10))

        said = {w["indicator"]: (w["severity"], w["override"]) for w in await warned(sut)}
        assert said == {
            "class": ("yellow", {"course": "K1"}),
            "student": ("blue", {"class": "H1"}),
            "department": ("red", {"department": "mech"}),
        }


async def test_what_is_off_is_neither_raised_nor_cleared(database_url: str, tmp_path: Path) -> None:
    on, off = indicator(), indicator(version=2, overrides=[own("class", "C1", {})], effective_from=date(2026, 3, 9))
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), on) as sut:
        await take(sut, sent("a", 0))
        await sut.handle(off)
        await told(sut)

        await take(sut, sent("b", 9, 9, day="2026-03-09"))
        assert [w["status"] for w in await warned(sut)] == ["open"]
        await sut.handle(indicator(version=3, effective_from=date(2026, 3, 9)))
        assert [w["status"] for w in await warned(sut)] == ["cleared"]


async def test_a_class_that_moves_is_judged_by_the_lines_of_its_new_unit_from_that_day_on(
    database_url: str, tmp_path: Path
) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), UNITS) as sut:
        await take(sut, sent("a", 7, 10, day="2026-03-02"), sent("b", 7, 10, day="2026-03-10"))
        assert await told(sut) == []

        moved = CLASSES[0].model_copy(update={"org": "arts"})
        await sut.handle(roster(part="i2/1", today=date(2026, 3, 9), classes=[moved, *CLASSES[1:]]))
        assert await told(sut) == ["rate C1 raised yellow 7/10 of 2026-03-09"]
        assert [(w["override"], w["severity"]) for w in await warned(sut)] == [(None, "yellow")]

        await sut.handle(roster(part="i3/1", today=date(2026, 3, 9), classes=CLASSES))
        assert [w["status"] for w in await warned(sut)] == ["withdrawn"]


async def test_a_class_that_the_roster_brings_later_is_judged_anew(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(classes=CLASSES[1:]), UNITS) as sut:
        await take(sut, sent("a", 7, 10))
        assert await told(sut) == ["rate C1 raised yellow 7/10 of 2026-03-02"]

        await sut.handle(roster(part="i2/1"))
        assert [w["status"] for w in await warned(sut)] == ["withdrawn"]


async def test_a_lesson_lies_in_the_class_that_its_observations_name(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(SUNDAY)
    lessons = indicator(
        "lessons",
        {"yellow": ("0.8", "0.8")},
        level="lesson",
        window="day",
        evaluate="window_close",
        overrides=[own("class", "C2", {})],
    )
    async with monitoring(database_url, tmp_path, clock, roster(), lessons) as sut:
        await take(
            sut,
            sent("a", 0, lesson="L1", day="2026-03-08"),
            sent("b", 0, lesson="L2", class_="C2", day="2026-03-08"),
            sent("c", 0, lesson="L3", class_="C2", day="2026-03-08"),
            correction("d", "c", 0, lesson="L3", class_="C1", day="2026-03-08"),
        )
        clock.advance(days=1)
        await close_windows(sut)
        assert {w["subject"]: w["status"] for w in await warned(sut)} == {"L1": "open", "L3": "open"}

        await take(sut, correction("e", "a", 0, lesson="L1", class_="C2", day="2026-03-08"))
        await take(sut, correction("f", "b", 0, lesson="L2", day="2026-03-08"))
        assert {w["subject"]: w["status"] for w in await warned(sut)} == {"L1": "withdrawn", "L2": "open", "L3": "open"}

        state = await rebuilt(sut)
        assert (state["before"], state["mended"]) == (state["after"], 0)


async def test_lessons_of_a_class_that_moves_are_judged_by_its_new_unit(database_url: str, tmp_path: Path) -> None:
    lessons = indicator(
        "lessons", {"yellow": ("0.8", "0.8")}, level="lesson", window="day", overrides=[own("department", "arts", {})]
    )
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), lessons) as sut:
        await take(sut, sent("a", 0, lesson="L1"), sent("b", 0, lesson="L2", day="2026-03-10"))
        assert [w["status"] for w in await warned(sut)] == ["open", "open"]

        moved = CLASSES[0].model_copy(update={"org": "arts"})
        await sut.handle(roster(part="i2/1", today=date(2026, 3, 9), classes=[moved, *CLASSES[1:]]))
        assert {w["subject"]: w["status"] for w in await warned(sut)} == {"L1": "open", "L2": "withdrawn"}
