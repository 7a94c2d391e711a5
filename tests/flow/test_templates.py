"""A school is set up from its documents in one command, and written back equal, through the front door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.cli.template.reading import find, label, names, period_of, read_template
from tests.flow.stack import School, Stack, zhengai

OWN = str(Path(__file__).parents[1] / "unit" / "cli" / "templates" / "craft-school.json")
PERIOD = "2026-2030"


@pytest.mark.parametrize("template", [*names(), OWN])
def test_a_template_loads_once_exports_equal_and_lints_without_an_error(
    template: str, standing: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, other = f"{Path(template).stem[:20]}-a", f"{Path(template).stem[:20]}-b"
    wanted = read_template(find(template))
    for _ in range(2):
        assert zhengai(standing, "school", "add", code, "--name", "学校", "--template", template, "--period", PERIOD) == 0
    assert "0 parts were added" in capsys.readouterr().out
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    assert zhengai(standing, "school", "export", code, "--output", str(first)) == 0
    assert zhengai(standing, "school", "add", other, "--name", "学校", "--template", str(first)) == 0
    assert zhengai(standing, "school", "export", other, "--output", str(second)) == 0
    assert first.read_text(encoding="utf-8") == second.read_text(encoding="utf-8")
    exported = read_template(first)
    assert exported.setup == wanted.setup
    assert {each.code: each for each in exported.standards} == {each.code: each for each in wanted.standards}
    assert {each.code: each for each in exported.families} == {each.code: each for each in wanted.families}

    sheet = str(tmp_path / "standards.xlsx")
    assert zhengai(standing, "standard", "export", sheet, "--school", code) == 0
    capsys.readouterr()
    assert zhengai(standing, "standard", "import", sheet, "--school", code) == 0
    assert capsys.readouterr().out.startswith("0 drafts")
    assert zhengai(standing, "lint", "--school", code) == 0
    found = capsys.readouterr().out.splitlines()[-1]
    assert found.startswith("plan-without-review"), "plans are drafts: nobody has looked at them yet"
    assert "," not in found, "nothing else"
    assert label(period_of(PERIOD)) == "“十五五”"


def test_goals_and_plans_of_a_schools_own_go_out_as_a_template_and_come_in_elsewhere(standing: Stack, tmp_path: Path) -> None:
    first, again = tmp_path / "first.json", tmp_path / "again.json"
    assert zhengai(standing, "school", "add", "own-a", "--name", "学校", "--template", "foshan-yanbu", "--period", PERIOD) == 0
    school = School(standing, "own-a")
    period = {"period_from": "2026-01-01", "period_to": "2026-12-31"}
    unit = {"code": "office-2026", "name": "教务处年度计划", "kind": "unit", "level": "department", "parent": "yb-pl-00", **period}
    school.change(
        "POST", "planning/plans", json={**unit, "owner_post": "department_head", "swot": [{"kind": "weakness", "text": "慢"}]}
    )
    measure = {"metric": "T-DQ", "level": "school", "window": "year", "baseline": 0.55, "values": [{"year": 2026, "target": 0.6}]}
    top = {"code": "TOP", "statement": "双师型教师", "measure": measure, "roll_up": "weighted", "owner": "T1"}
    id_ = school.change("POST", "planning/plans/yb-pl-00/goals", json={"goal": top})["id"]
    low: dict[str, Any] = {
        "code": "LOW",
        "statement": "引进",
        "deliverable": {"name": "教师", "level": "school", "number": 2},
        "deadline": "2026-12-31",
    }
    low["parents"] = [{"goal": id_, "weight": 0.25}]
    school.change("POST", "planning/plans/office-2026/goals", json={"goal": low})
    assert zhengai(standing, "school", "export", "own-a", "--output", str(first)) == 0
    for _ in range(2):
        assert zhengai(standing, "school", "add", "own-b", "--name", "学校", "--template", str(first)) == 0
    assert zhengai(standing, "school", "export", "own-b", "--output", str(again)) == 0
    assert first.read_text(encoding="utf-8") == again.read_text(encoding="utf-8")
    goals = {plan.code: plan.goals for plan in read_template(first).plans}
    assert [(each.goal, str(each.weight)) for each in goals["office-2026"][0].parents] == [("yb-pl-00/TOP", "0.25")]
    assert (goals["yb-pl-00"][0].owner, list(goals)) == (None, ["office-2026", "yb-pl-00"])
