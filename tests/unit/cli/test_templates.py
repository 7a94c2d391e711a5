"""Templates: what the schools' documents say, strict, movable to another period, loaded once and written back equal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli import Failure
from services.cli.catalogue import INDICATORS, METRICS
from services.cli.template import loading
from services.cli.template.model import Template
from services.cli.template.plans import PLANS
from services.cli.template.reading import find, label, moved, names, period_of, read_template, returned, written
from tests.unit.cli.conftest import Answer, Installation, Request, Zhengai

FIFTEENTH = period_of("2026-2030")
EXAMPLES = Path(__file__).parent / "templates"


def documents(shared: Path) -> dict[str, Any]:
    catalogue = yaml.safe_load((shared / "domain" / "catalogue.yaml").read_text(encoding="utf-8"))
    return {code: each for code, each in catalogue["school_templates"].items() if "plan_catalogue" in each}


def test_every_school_of_the_documents_has_a_template(shared: Path) -> None:
    assert names() == sorted(documents(shared))


@pytest.mark.parametrize("name", names())
def test_a_template_names_what_the_documents_name(name: str, shared: Path) -> None:
    said, template = documents(shared)[name], read_template(find(name))
    setup = template.setup
    for codes, part in (
        ([plan.code for plan in setup.plan_kinds], "plan_catalogue"),
        ([standard.code for standard in template.standards], "standards_catalogue"),
        ([report.code for report in setup.reports], "report_types"),
    ):
        assert codes == [each["code"].lower() for each in said[part]], part
    there = moved(template, None)
    assert [plan.name for plan in there.setup.plan_kinds] == [each["zh"] for each in said["plan_catalogue"]]
    assert [plan.lead for plan in there.setup.plan_kinds] == [each["lead_department_zh"] for each in said["plan_catalogue"]]
    bodies = [body for body in said["org_bodies"] if not body.get("is_role")]
    assert [(b.code, b.name, b.parent) for b in setup.bodies] == [
        (b["code"].lower(), b["zh"], b["parent"] and b["parent"].lower()) for b in bodies
    ]
    assert {role["zh"] for role in said["roles"]} <= {role.name for role in setup.roles}
    assert [cycle.level for cycle in setup.cycles] == [cycle["level"] for cycle in said["cycles"]]
    assert list(setup.metrics) == said["metric_codes"]
    if "guarantee_mechanisms" in said:
        mechanisms = [(each["code"].lower(), each["zh"], each.get("lead_zh", [])) for each in said["guarantee_mechanisms"]]
        assert [(each.code, each.name, each.leads) for each in setup.guarantees] == mechanisms
    assert [each.name for each in setup.entry_words.safety_categories] == [each["zh"] for each in said.get("safety_categories", [])]


def test_classes_of_tasks_and_letters_are_those_of_the_documents(shared: Path) -> None:
    links = {
        "plan_goal": "goal",
        "leadership_resolution": "resolution",
        "department_duty": "duty",
        "project": "project",
        "programme_or_course_plan": "plan",
        "finding": "finding",
    }
    for name, said in documents(shared).items():
        setup = read_template(find(name)).setup
        classes = [(each["code"].lower(), each["zh"], links[each["requires_link"]]) for each in said["task_classes"]]
        assert [(each.code, each.name, each.link) for each in setup.task_classes] == classes
        letters = [*([said["responsibility_letter"]] if "responsibility_letter" in said else [])]
        letters += said.get("safety_responsibility_letters", [])
        assert [each.name for each in setup.agreements] == [each["zh"] for each in letters]


def test_workflows_rule_sets_and_the_table_of_goals_are_those_of_the_documents(shared: Path) -> None:
    said = documents(shared)
    setups = {name: read_template(find(name)).setup for name in names()}
    (plan,) = said["hubei-polytechnic"]["workflows"]
    (workflow,) = setups["hubei-polytechnic"].workflows
    assert [step.name for step in workflow.steps] == [step["zh"] for step in plan["steps"]]
    assert [len(axis.tags) for axis in setups["hubei-polytechnic"].framework] == [6, 5, 5]
    sets = {each.level: each.names for each in setups["hunan-county-vocational"].rule_sets}
    assert sets == {level: [e["zh"] for e in each] for level, each in said["hunan-county-vocational"]["rule_sets_by_level"].items()}
    table = setups["foshan-yanbu"].breakdown
    assert table is not None
    assert [column.name for column in table.columns] == [each["zh"] for each in said["foshan-yanbu"]["goal_breakdown_fields"]]


def elements(value: Any) -> int:
    """How many elements the documents name, wherever they stand."""
    if isinstance(value, dict):
        return len(value.get("elements", [])) + sum(elements(part) for name, part in value.items() if name != "elements")
    return sum(elements(part) for part in value) if isinstance(value, list) else 0


def test_the_counts_are_those_of_the_documents(shared: Path) -> None:
    counts = {}
    for name, said in documents(shared).items():
        template = read_template(find(name))
        found = sum(len(standard.elements) for standard in template.standards)
        assert found == elements(said["standards_catalogue"])
        fields = sum(len(group.form_fields) for standard in template.standards for group in standard.groups)
        counts[name] = (len(template.setup.plan_kinds), len(template.families), len(template.standards), found, fields)
    assert counts == {
        "hubei-polytechnic": (19, 5, 5, 135, 5),
        "inner-mongolia-construction": (10, 5, 5, 10, 0),
        "hunan-county-vocational": (6, 4, 9, 37, 0),
        "foshan-yanbu": (28, 6, 23, 0, 0),
    }
    numbered = [each for each in documents(shared)["foshan-yanbu"]["standards_catalogue"] if "number" in each]
    assert len(numbered) == 19


def test_ladders_are_those_of_the_documents() -> None:
    rungs = {
        name: [
            [(rung.name, len(rung.elements)) for rung in ladder.rungs]
            for standard in read_template(find(name)).standards
            for ladder in standard.ladders
        ]
        for name in names()
    }
    assert rungs["hubei-polytechnic"] == [[("见习教师", 6), ("合格教师", 7), ("骨干教师", 12), ("课程首席", 13), ("名师", 8)]]
    assert [[name for name, _ in ladder] for ladder in rungs["inner-mongolia-construction"]] == [
        ["见习教师", "普通教师", "骨干教师", "专业负责人", "教学名师"]
    ]
    parallel = read_template(find("foshan-yanbu")).setup.ladders
    assert [[rung.standards for rung in ladder.rungs] for ladder in parallel] == [
        [["yb-st-12"], ["yb-st-13"], ["yb-st-14"]],
        [["yb-st-11"], ["yb-st-15"], ["yb-st-16"], ["yb-st-17"], ["yb-st-18"]],
    ]


@pytest.mark.parametrize("name", names())
def test_a_template_is_written_as_it_stands_and_moves_there_and_back(name: str) -> None:
    template = read_template(find(name))
    assert written(template) == find(name).read_text(encoding="utf-8")
    there = moved(template, FIFTEENTH)
    assert any("“十五五”" in plan.name for plan in there.setup.plan_kinds)
    assert "十三五" not in written(there)
    assert returned(there) == template.model_copy(update={"period": FIFTEENTH})


def test_a_period_is_called_as_people_call_it() -> None:
    said = {text: label(period_of(text)) for text in ("2016-2020", "2021-2025", "2026-2030", "2027-2031", "2026-2028", "1996-2000")}
    assert list(said.values()) == ["“十三五”", "“十四五”", "“十五五”", "2027—2031年", "2026—2028年", "“九五”"]
    for wrong in ("2026", "2030-2026", "２０２６-2030", "2026-2030 ", "1026-2030"):
        with pytest.raises(Failure, match="--period"):
            period_of(wrong)


WHOLE = """{
 "format": 1,
 "code": "own",
 "name": "自己的",
 "period": {"first": 2026, "last": 2030},
 "setup": {
  "bodies": [{"code": "a", "name": "甲"}]
 },
 "families": [{"code": "f", "name": "族", "kind": "craft"}],
 "standards": [
  {"code": "s", "name": "标准", "family": "f"}
 ]
}"""
BROKEN = [
    (WHOLE.replace('"own",', '"own"'), 4, "not JSON"),
    (WHOLE.replace('"name": "自己的"', '"name": "自己的",\n "name": "又"'), 5, "stands twice"),
    (WHOLE.replace('"kind": "craft"', '"kind": "craft",\n  "colour": 1'), 10, "families/0/colour"),
    (WHOLE.replace('"family": "f"', '"family": "g"'), 11, "no family 'g'"),
    (WHOLE.replace('"name": "甲"', '"name": "甲", "parent": "b"'), 7, "setup/bodies/0/parent"),
    (WHOLE.replace('"name": "甲"', '"name": 7'), 7, "setup/bodies/0/name"),
    (WHOLE.replace('"format": 1', '"format": 2'), 2, "format"),
    (WHOLE.replace('"bodies"', '"template": "x", "bodies"'), 7, "setup/template"),
    (WHOLE.replace('"family": "f"}', '"family": "f"},\n  {"code": "s", "name": "标准", "family": "f"}'), 12, "stands twice"),
    (WHOLE.replace("2026,", "2031,"), 5, "period"),
    (WHOLE.replace('"family": "f"}', '"family": "f",\n   "level": "master"}'), 12, "standards/0/level"),
    (WHOLE.replace('"family": "f"}', '"family": "f",\n   "effective_from": "2026-13-01"}'), 12, "standards/0/effective_from"),
    (WHOLE.replace('"bodies"', '"metrics": ["C-SAT", "attendance",\n   "C-SATT"], "bodies"'), 8, "no metric 'C-SATT'"),
    (WHOLE.replace("自己的", "长" * 201), 4, "name"),
    (WHOLE.replace("标准", "{period}" * 25).replace("2030", "2031"), 0, "standards/0/name"),
    ("[" * 600 + "]" * 600, 0, "not JSON"),
    (WHOLE.replace('"first": 2026', '"first": NaN'), 0, "NaN"),
]


@pytest.mark.parametrize(("text", "line", "reason"), BROKEN)
def test_a_broken_file_is_refused_with_line_and_reason(
    text: str, line: int, reason: str, tmp_path: Path, zhengai: Zhengai, installation: Installation
) -> None:
    file = tmp_path / "broken.json"
    file.write_text(text, encoding="utf-8")
    ending = zhengai("school", "add", "demo", "--name", "示范", "--template", file)
    assert (ending.status, installation.requests) == (1, []), "nothing is loaded"
    assert reason in ending.err
    assert not line or f"broken.json, line {line}:" in ending.err


@pytest.mark.parametrize("template", ["nowhere", "nowhere.json", "../x"])
def test_a_template_that_is_not_there_is_named(template: str, zhengai: Zhengai, installation: Installation) -> None:
    ending = zhengai("school", "add", "demo", "--name", "示范", "--template", template)
    assert (ending.status, installation.requests) == (1, [])
    assert template in ending.err
    assert zhengai("school", "add", "demo", "--name", "示范", "--period", "2026-2030").status == 1


class Kept:
    """What a school has been given, as the installation keeps it: enough to load and to read it back."""

    def __init__(self, there: Installation, template: Template) -> None:
        self.versions = False  # whether the same may come again, as another version
        self.setup: Any = None
        self.parts: dict[str, dict[str, Any]] = {path: {} for path in (loading.FAMILIES, loading.STANDARDS, PLANS)}
        school = {"code": "demo", "name": template.name, "added_at": "2026-03-02T00:00:00Z"}
        there.on("POST", "/api/v1/schools", Answer(201, school))
        there.on("GET", "/api/v1/schools", Answer(200, {"items": [school], "next": None}))
        there.on("GET", loading.SETUP, self.read)
        there.on("PUT", loading.SETUP, self.put)
        there.on("GET", METRICS, Answer(200, {"items": [{"code": "attendance", "alias": "c-att"}], "next": None}))
        there.on("GET", INDICATORS, Answer(200, {"items": [], "next": None}))
        there.on("POST", loading.METRICS, Answer(200, {"added": [], "there": []}))
        for path in self.parts:
            there.on("GET", path, self.listed)
            there.on("POST", path, lambda request: self.keep(request.path, request.json["code"], request))
        for family in template.families:
            there.on("PUT", f"{loading.FAMILIES}/{family.code}", self.family)
        for standard in template.standards:
            there.on("GET", f"{loading.STANDARDS}/{standard.code}/versions/1", self.version)

    def read(self, _: Request) -> Answer:
        return Answer(200, {"content": self.setup or {}, "changed_at": self.setup and "2026-03-02T00:00:00Z"})

    def put(self, request: Request) -> Answer:
        self.setup = request.json
        return Answer(200, {})

    def listed(self, request: Request) -> Answer:
        items = [{"goals": 0, **each} for _, each in sorted(self.parts[request.path].items())]
        return Answer(200, {"items": items, "next": None})

    def keep(self, path: str, code: str, request: Request) -> Answer:
        assert self.versions or code not in self.parts[path], "what is there is not sent again"
        self.parts[path][code] = {**request.json, "code": code, "newest_version": 1}
        return Answer(201, {})

    def family(self, request: Request) -> Answer:
        path, _, code = request.path.rpartition("/")
        answer = self.keep(path, code, request)
        said = {"name_en": None, "revision_years": None, "review_path": ["quality_office", "school_leader"], "owner": None}
        self.parts[path][code] = {**said, **self.parts[path][code], "changed_by": "P1"}
        return answer

    def version(self, request: Request) -> Answer:
        code = request.path.split("/")[-3]
        own = {"code", "family", "newest_version"}
        whole: dict[str, Any] = {"issuer": "institutional", "note": None, "groups": [], "trial": False}
        content = whole | {name: value for name, value in self.parts[loading.STANDARDS][code].items() if name not in own}
        return Answer(200, {"content": content})


def test_codes_with_capital_letters_load_and_are_exported(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    text = WHOLE.replace('"family": "f"}', '"family": "f", "groups": [{"code": "G", "name": "组"}]}').replace('"s"', '"HB-ST-TCH"')
    rungs = '"ladders": [{"code": "l", "name": "阶梯", "rungs": [{"name": "一", "standards": ["HB-ST-TCH"]}]}], "bodies"'
    text = text.replace('"bodies"', rungs)
    file = tmp_path / "own.json"
    file.write_text(text, encoding="utf-8")
    Kept(installation, read_template(file))
    assert zhengai("school", "add", "demo", "--name", "自己的", "--template", file).status == 0
    ending = zhengai("school", "export", "demo")
    assert ending.status == 0, ending.err
    assert json.loads(ending.out)["standards"] == json.loads(text)["standards"]


@pytest.mark.parametrize("name", [*names(), str(EXAMPLES / "craft-school.json")])
def test_loading_twice_changes_nothing_and_what_is_exported_loads_equal(
    name: str, zhengai: Zhengai, installation: Installation, tmp_path: Path
) -> None:
    template = read_template(find(name))
    there = Kept(installation, template)
    arguments = ("school", "add", "demo", "--name", template.name, "--template", name, "--period", "2026-2030", "--json")
    first, before = zhengai(*arguments), len(installation.requests)
    assert first.status == 0, first.err
    again = zhengai(*arguments)
    changes = [request.path for request in installation.requests[before:] if request.method != "GET"]
    assert changes == ["/api/v1/schools", *([loading.METRICS] if template.setup.metrics else [])]
    loaded, twice = json.loads(first.out), json.loads(again.out)
    assert (twice["added"], twice["there"]) == ([], len(loaded["added"]))
    once = [plan.code for plan in template.setup.plan_kinds if plan.per is None]
    assert set(there.parts[PLANS]) == set(once)

    file = tmp_path / "exported.json"
    assert zhengai("school", "export", "demo", "--output", file).status == 0
    exported = read_template(file)
    wanted = {
        "period": FIFTEENTH,
        "name_en": None,
        "families": sorted(template.families, key=lambda each: each.code),
        "standards": sorted(template.standards, key=lambda each: each.code),
    }
    assert exported == template.model_copy(update=wanted)
    assert zhengai("school", "export", "demo").out == file.read_text(encoding="utf-8")


def test_a_stop_in_between_is_said_and_the_same_command_goes_on(zhengai: Zhengai, installation: Installation) -> None:
    template = read_template(find("hunan-county-vocational"))
    there = Kept(installation, template)
    last = template.families[-1].code
    path = f"{loading.FAMILIES}/{last}"
    installation.on("PUT", path, Answer(503, {"detail": "not now"}), there.family)
    arguments = ("school", "add", "demo", "--name", "x", "--template", "hunan-county-vocational")
    ending = zhengai(*arguments)
    assert ending.status == 1
    assert f"family {last}" in ending.err
    assert zhengai(*arguments).status == 0
    assert len(there.parts[loading.STANDARDS]) == len(template.standards)


def test_plans_come_after_those_above_them_and_lie_inside_the_period() -> None:
    for name in names():
        template = moved(read_template(find(name)), FIFTEENTH)
        once = {plan.code: plan for plan in template.setup.plan_kinds if plan.per is None}
        ordered = loading.parents_first(list(reversed(once.values())))
        seen: set[str] = set()
        for plan in ordered:
            body = loading.plan_body(plan, template.period, once)
            assert set(plan.parents) & once.keys() <= seen
            assert "2026-01-01" <= body["period_from"] < body["period_to"] <= "2030-12-31"
            seen.add(plan.code)
        assert seen == set(once)


PLAN = {"code": "p", "name": "规划", "kind": "unit", "level": "school", "period_from": "2026-01-01", "period_to": "2026-12-31"}
GOAL = {"code": "g", "statement": "目标", "deadline": "2026-02-28"}


@pytest.mark.parametrize(
    ("plans", "reason"),
    [
        ([PLAN, PLAN], "stands twice"),
        ([{**PLAN, "parent": "none"}], "no plan 'none' is there"),
        ([{**PLAN, "kind": "personal", "level": "teacher", "subject": "T1"}], "a plan of a person"),
        ([{**PLAN, "owner": "T1"}], "plans/0/owner"),
        ([{**PLAN, "goals": [GOAL, GOAL]}], "stands twice"),
        ([{**PLAN, "goals": [{**GOAL, "owner": "T1"}]}], "goals/0/owner"),
        ([{**PLAN, "goals": [{**GOAL, "colour": "red"}]}], "goals/0/colour"),
        ([{**PLAN, "goals": [{**GOAL, "weight": "schwer"}]}], "a number is needed"),
        ([{**PLAN, "goals": [{**GOAL, "parents": [{"goal": "p/none"}]}]}], "no goal 'p/none' is there"),
        ([{**PLAN, "goals": [{**GOAL, "parents": [{"goal": "p/g"}]}]}], "form no circle"),
    ],
)
def test_plans_of_a_template_that_cannot_be_loaded_are_refused(plans: list[Any], reason: str, tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    whole = {"format": 1, "code": "own", "name": "自己", "period": {"first": 2026, "last": 2026}, "setup": {}, "plans": plans}
    file.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
    with pytest.raises(Failure, match=reason):
        read_template(file)


def test_plans_of_a_template_move_with_its_period(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    measure = {"metric": "m", "level": "school", "window": "year", "values": [{"year": 2026, "target": "0.6"}]}
    plan = {**PLAN, "goals": [{**GOAL, "measure": measure}]}
    whole = {"format": 1, "code": "own", "name": "自己", "period": {"first": 2026, "last": 2026}, "setup": {}, "plans": [plan]}
    file.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
    (found,) = moved(read_template(file), period_of("2028-2028")).plans
    (goal,) = found.goals
    assert (str(found.period_from), str(goal.deadline)) == ("2028-01-01", "2028-02-28")
    assert goal.measure is not None
    assert [(each.year, str(each.target)) for each in goal.measure.values] == [(2028, "0.6")]


def test_yanbus_whole_roll_out_schedule_is_loaded_with_its_months(shared: Path) -> None:
    said = documents(shared)["foshan-yanbu"]["rollout_schedule"]
    template = read_template(find("foshan-yanbu"))
    first = template.period.first
    there = [each for each in template.setup.routines if each.once is not None]
    assert len(there) == len(said) == 36
    for row, routine in zip(said, there, strict=True):
        assert routine.once is not None
        assert (routine.name, routine.who) == (f"{row['project_zh']}:{row['content_zh']}", row["responsible_zh"])
        last = routine.once.last and f"{first + routine.once.last.year - 1}-{routine.once.last.month:02}"
        begun = f"{first + routine.once.first.year - 1}-{routine.once.first.month:02}"
        assert (begun, last) == (row["start"] or row["end"], row["end"])


@pytest.mark.parametrize("name", names())
def test_every_cycle_of_the_documents_that_closes_within_a_year_has_a_routine_at_its_level(name: str, shared: Path) -> None:
    routines = read_template(find(name)).setup.routines
    for cycle in documents(shared)[name]["cycles"]:
        units = {each.every.unit for each in routines if each.every and each.level == cycle["level"]}
        periods = cycle.get("periods") or [cycle["small_cycle"], cycle["large_cycle"]]
        wanted = {each["unit"] for each in periods if each["value"] == 1}
        assert wanted <= units, (cycle["level"], wanted - units)
