"""The standards of the four schools' documents, as their catalogue has them, and of an invented school: all are data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.standards.domain.content import Content
from services.standards.schemas.standards import StandardIn
from tests.service.standards.school import AUTHOR, HEAD, LEADER, OFFICE, school

ELEMENTS = {"hubei-polytechnic": 135, "inner-mongolia-construction": 10, "hunan-county-vocational": None, "foshan-yanbu": 0}


def named(said: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"code": said["code"], "name": said["zh"], "name_en": said.get("en"), **more}


def written(said: dict[str, Any]) -> dict[str, Any]:
    """A standard of the catalogue in the words of the API."""
    parts = [*said.get("groups", ()), *said.get("dimension_placeholders", ())]
    groups = [named(part, elements=[named(each) for each in part.get("elements", ())]) for part in parts]
    if own := said.get("elements"):
        groups.append(named(said, elements=[named(each) for each in own]))
    if fields := said.get("form_fields"):
        groups.append(named(said, form_fields=[named(each) for each in fields]))
    steps = [part for part in parts if part.get("rung") is not None]
    rungs = [named(part, elements=[each["code"] for each in part["elements"]]) for part in steps]
    rungs += [named({"code": f"rung-{n}", **each}) for n, each in enumerate(said.get("rungs", ()), 1)]
    ladders = [named(said, level="teacher", rungs=rungs)] if rungs else []
    level = said["level"] if said["level"] in {"school", "programme", "course", "teacher", "student"} else None
    head = named(said, family=said["kind"], source_document=said.get("source"), note=said.get("note"), level=level)
    return {**head, "effective_from": "2026-03-01", "groups": groups, "ladders": ladders}


def of(shared: Path, template: str) -> list[dict[str, Any]]:
    catalogue = yaml.safe_load((shared / "domain" / "catalogue.yaml").read_text(encoding="utf-8"))
    return [written(each) for each in catalogue["school_templates"][template]["standards_catalogue"]]


@pytest.mark.shared
@pytest.mark.parametrize("template", ELEMENTS)
def test_every_standard_of_a_schools_documents_can_be_written(shared: Path, template: str) -> None:
    contents = [StandardIn.model_validate(said).content() for said in of(shared, template)]

    assert contents
    for content in contents:
        assert list(content.faults()) == []
        assert Content.kept(content.model_dump(mode="json")) == content
    if (count := ELEMENTS[template]) is not None:
        assert sum(len(content.elements) for content in contents) == count


@pytest.mark.shared
async def test_hubeis_ladder_has_five_rungs_and_nobody_is_judged_by_what_is_not_stated(
    database_url: str, tmp_path: Path, shared: Path
) -> None:
    async with school(database_url, tmp_path) as office:
        (said,) = [each for each in of(shared, "hubei-polytechnic") if each["code"] == "HB-ST-TCH"]
        assert (await office.ask(AUTHOR, "POST", "/standards", said))[0] == 201
        await office.review()

        _, shown = await office.ask(AUTHOR, "GET", "/ladders/HB-ST-TCH/HB-ST-TCH/T1")

        assert [each["required"] for each in shown["rungs"]] == [6, 7, 12, 13, 8]
        assert {each["why"] for rung in shown["rungs"] for each in rung["undetermined"]} == {"unstated"}
        assert shown["next"]["rung"] == "HB-ST-TCH-1"
        (listed,) = (await office.ask(AUTHOR, "GET", "/standards"))[1]["items"]
        assert (listed["elements"], listed["undetermined"]) == (52, 52)


async def test_an_invented_school_has_its_own_families_paths_and_ladders(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        family = {"name": "船艺", "kind": "船员", "review_path": ["department_head"]}
        assert (await office.ask(AUTHOR, "PUT", "/families/seamanship", family))[0] == 201
        judged = {"met_by": "judged", "judged": {"by": "school_leader"}}
        elements = [{"code": code, "name": code, **judged} for code in ("knots", "helm")]
        rungs = [{"code": n, "name": n, "elements": [code]} for n, code in (("deckhand", "knots"), ("mate", "helm"))]
        said = {
            "code": "sea",
            "family": "seamanship",
            "name": "船艺标准",
            "effective_from": "2026-03-01",
            "groups": [{"code": "deck", "name": "甲板", "elements": elements}],
            "ladders": [{"code": "crew", "name": "船员", "level": "student", "cumulative": True, "rungs": rungs}],
        }
        await office.ask(AUTHOR, "POST", "/standards", said)
        await office.ask(AUTHOR, "POST", "/standards/sea/versions/1/submit")
        assert (await office.ask(OFFICE, "POST", "/standards/sea/versions/1/approve"))[0] == 403
        assert (await office.ask(HEAD, "POST", "/standards/sea/versions/1/approve"))[1]["state"] == "active"
        about = {"standard": "sea", "level": "student", "subject": "S1", "evidence": "出海"}
        await office.ask(LEADER, "POST", "/judgements", {**about, "element": "helm", "met": True})

        _, shown = await office.ask(LEADER, "GET", "/ladders/sea/crew/S1")

        assert [(each["share"], each["attained"]) for each in shown["rungs"]] == [(0, False), (0.5, False)]
        assert shown["next"]["undetermined"] == ["knots"]
