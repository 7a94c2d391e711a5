"""The indicators of the random histories: versions by code, in the order in which they come into force; they differ in all that a
version may differ in.
"""

from datetime import date
from decimal import Decimal

from libs.common.events.standards import IndicatorActivated, Repetition
from tests.service.monitoring.world import indicator, own

CODES: dict[str, list[IndicatorActivated]] = {
    "a-steps": [
        indicator(
            "a-steps", {"yellow": ("0.8", "0.9"), "orange": ("0.6", "0.7"), "red": ("0.4", "0.5")}, min_denominator=Decimal(3)
        ),
        indicator("a-steps", {"yellow": ("0.7", "0.7")}, version=2, effective_from=date(2026, 3, 4)),
    ],
    "b-student": [
        indicator("b-student", {"blue": ("0.6", "0.6")}, level="student", window="month", effective_from=date(2026, 2, 25)),
        indicator("b-student", {"red": ("0.9", "0.9")}, level="student", window="week", version=2, effective_from=date(2026, 3, 9)),
        indicator("b-student", {"red": ("0.5", "1")}, level="homeroom", window="week", version=3, effective_from=date(2026, 3, 12)),
    ],
    "c-above": [indicator("c-above", {"yellow": ("0.5", "0.4"), "red": ("0.9", "0.8")}, level="department", comparison="above")],
    "d-close": [
        indicator("d-close", {"orange": ("0.8", "0.85")}, evaluate="window_close", min_denominator=Decimal(2)),
        indicator(
            "d-close",
            {"orange": ("0.5", "0.5")},
            version=2,
            evaluate="window_close",
            effective_from=date(2026, 3, 11),
            grace_days=3,
        ),
    ],
    "e-term": [
        indicator("e-term", {"blue": ("0.7", "0.7")}, level="school", window="term", min_denominator=Decimal(4)),
        indicator("e-term", {"blue": ("0.7", "0.7")}, level="school", window="term", evaluate="window_close", version=2),
    ],
    "g-daily": [
        indicator("g-daily", {"yellow": ("0.7", "0.8"), "red": ("0.4", "0.5")}, evaluate={"daily_at": "08:00"}, level="course"),
        indicator("g-daily", {"yellow": ("0.6", "0.6")}, version=2, level="course", effective_from=date(2026, 3, 8)),
    ],
    "h-patient": [
        indicator(
            "h-patient",
            {"yellow": ("0.7", "0.8"), "red": ("0.2", "0.5")},
            window="day",
            raise_after_windows=2,
            clear_after_windows=2,
            repetition=Repetition(severity="orange", windows=3),
        ),
        indicator("h-patient", {"blue": ("0.6", "0.6")}, version=2, hold_days=9, repetition=Repetition(severity="red", windows=2)),
    ],
    "i-closes-patiently": [
        indicator(
            "i-closes-patiently",
            {"blue": ("0.8", "0.8")},
            level="department",
            window="day",
            evaluate="window_close",
            min_denominator=Decimal(2),
            raise_after_windows=2,
            clear_after_windows=3,
            grace_days=2,
            repetition=Repetition(severity="red", windows=4),
        )
    ],
    "j-outside": [
        indicator(
            "j-outside",
            {"yellow": (("0.4", "0.8"), ("0.5", "0.6")), "red": (("0.2", "0.9"), ("0.3", "0.7"))},
            level="student",
            comparison="outside",
            hold_days=3,
            window="day",
        ),
        indicator(
            "j-outside",
            {"orange": ("0.8", "0.8")},
            version=2,
            level="student",
            evaluate={"daily_at": "09:00"},
            window="day",
            raise_after_windows=3,
            clear_after_windows=2,
        ),
    ],
    "k-units": [
        indicator(
            "k-units",
            {"yellow": ("0.7", "0.8"), "red": ("0.2", "0.5")},
            window="day",
            overrides=[
                own("department", "mech", {"orange": ("0.9", "0.9")}),
                own("class", "C2", {"blue": ("0.5", "0.5")}, least=3),
                own("course", "K1", {}),
            ],
        ),
        indicator(
            "k-units", {"blue": ("0.6", "0.6")}, version=2, evaluate="window_close", overrides=[own("department", "arts", {})]
        ),
    ],
    "l-students": [
        indicator(
            "l-students",
            {"yellow": ("0.6", "0.8")},
            level="student",
            window="month",
            raise_after_windows=2,
            overrides=[
                own("programme", "cnc", {"blue": ("0.9", "0.9")}, least=2),
                own("department", "arts", {}),
                own("class", "H2", {"red": ("0.7", "0.7")}, least=4),
            ],
        ),
        indicator(
            "l-students",
            {"yellow": ("0.6", "0.8")},
            version=2,
            level="student",
            evaluate={"daily_at": "08:00"},
            overrides=[own("department", "mech", {"blue": ("0.9", "0.9")}, least=3)],
        ),
    ],
    "m-courses": [
        indicator(
            "m-courses",
            {"yellow": ("0.5", "0.6")},
            level="course",
            evaluate="window_close",
            window="day",
            overrides=[
                own("programme", "cnc", {"red": ("0.8", "0.8")}, least=3),
                own("course", "K2", {}),
                own("department", "arts", {}),
            ],
        )
    ],
    "n-lessons": [
        indicator(
            "n-lessons",
            {"yellow": ("0.8", "0.8")},
            level="lesson",
            window="day",
            evaluate={"lesson_end_plus_minutes": 2 * 1440},
            overrides=[
                own("course", "K1", {"red": ("0.6", "0.7")}),
                own("class", "C9", {}),
                own("department", "arts", {}, least=2),
            ],
        ),
        indicator(
            "n-lessons",
            {"blue": ("0.9", "0.9")},
            version=2,
            level="lesson",
            evaluate={"lesson_end_plus_minutes": 0},
            effective_from=date(2026, 3, 9),
            overrides=[own("department", "mech", {"blue": ("0.5", "0.5")}, least=2)],
        ),
        indicator("n-lessons", {"blue": ("0.9", "0.9")}, version=3, level="lesson", effective_from=date(2026, 3, 14)),
    ],
    "f-day": [indicator("f-day", {"red": ("0.5", "0.5")}, level="homeroom", window="day", evaluate="window_close")],
}
