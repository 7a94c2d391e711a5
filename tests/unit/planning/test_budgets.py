"""Money is exact, and a warning begins past a line, not on it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.planning.domain.budgets import Alarm, alarm_of, execution, fen, share_passed, yuan
from services.planning.domain.settings import Severity

LINES: dict[Severity, int] = {"yellow": 20, "orange": 35}
FENS = st.integers(0, 10**11)


@given(st.lists(FENS, max_size=50))
def test_yuan_add_up_as_fen_do(amounts: list[int]) -> None:
    assert fen(sum(map(yuan, amounts), Decimal(0))) == sum(amounts)


@given(st.dates(date(1999, 1, 1), date(2030, 12, 31)), st.integers(2000, 2029))
def test_the_share_of_a_year_grows_day_by_day_from_nothing_to_all_of_it(today: date, year: int) -> None:
    share = share_passed(year, today)
    assert 0 <= share <= 1
    assert (share == 0) == (today < date(year, 1, 1))
    assert (share == 1) == (today >= date(year, 12, 31))


@given(FENS, FENS, st.fractions(0, 1))
def test_a_warning_says_whether_more_less_or_too_much_is_spent(approved: int, spent: int, share: Fraction) -> None:
    found = alarm_of(approved, spent, share, behind=LINES, ahead=LINES)
    rate = execution(approved, spent)
    if spent > approved:
        assert found == Alarm("red", "overspent")
    elif rate is None:
        assert found is None
    else:
        gap = abs(rate - share)
        severity = "orange" if gap > Fraction(35, 100) else "yellow" if gap > Fraction(20, 100) else None
        assert (found and found.severity) == severity
        assert found is None or found.why == ("ahead" if rate > share else "behind")


def test_exactly_on_a_line_is_no_warning() -> None:
    half = Fraction(1, 2)
    assert alarm_of(100, 30, half, behind=LINES, ahead=LINES) is None
    assert alarm_of(100, 29, half, behind=LINES, ahead=LINES) == Alarm("yellow", "behind")
    assert alarm_of(100, 70, half, behind=LINES, ahead=LINES) is None
    assert alarm_of(100, 86, half, behind=LINES, ahead=LINES) == Alarm("orange", "ahead")
    assert alarm_of(100, 100, Fraction(1), behind=LINES, ahead=LINES) is None
