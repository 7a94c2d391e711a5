"""A school is set up from its documents in one command, and written back equal, through the front door."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.template.reading import find, label, names, period_of, read_template
from tests.flow.stack import Stack, zhengai

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
    zhengai(standing, "lint", "--school", code)
    found = capsys.readouterr().out.splitlines()[-1]
    assert found.startswith("plan-without-review"), "plans are drafts: nobody has looked at them yet"
    assert "," not in found, "nothing else"
    assert label(period_of(PERIOD)) == "“十五五”"
