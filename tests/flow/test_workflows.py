"""A school's own workflow, its registers and its goals in Excel, from the set-up of its documents to the last step, by people who sign in."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.flow.stack import Stack, until, zhengai
from tests.flow.test_chains import Chain

pytestmark = pytest.mark.servers  # long: the same scenarios run as service tests in the short suite

STEPS = ["programme_leader", "programme_leader", "programme_leader", "department_head", "programme_leader", "department_head", None]


@pytest.fixture
def chain(standing: Stack, request: pytest.FixtureRequest) -> Chain:
    return Chain(standing, request.node.originalname.removeprefix("test_")[:40])


def test_the_seven_steps_of_the_talent_training_plan_with_the_schools_own_posts_and_days(
    chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    school, named = chain.school, f"学校 {chain.code}"
    assert zhengai(school.stack, "school", "add", chain.code, "--name", named, "--template", "hubei-polytechnic") == 0
    setup = school.get("setup")["content"]
    steps = setup["workflows"][0]["steps"]
    assert [each["name"] for each in steps] == ["需求调研", "目标定位", "课程设置", "专家论证", "方案撰写", "方案审核", "方案修订"]
    for step, post in zip(steps, STEPS, strict=True):
        step.update(post=post and "department_head", days=7, document="论证意见" if step["name"] == "专家论证" else None)
    school.change("PUT", "setup", json=setup)

    head, office = chain.person("HD"), chain.person("Q")
    run = chain.done(head, "planning/workflows/hb-wf-ttp/runs", {"about": {"kind": "department", "id": "D1"}})
    path = f"planning/workflow-runs/{run['id']}"
    assert office.post(f"{path}/done", json={}).status_code == 403, "who holds the post does the step"
    for _ in range(3):
        chain.done(head, f"{path}/done")
    assert head.post(f"{path}/done", json={}).status_code == 422, "the argumentation asks for its document"
    chain.done(head, f"{path}/done", {"document": "论证意见.docx"})
    assert chain.done(head, f"{path}/return", {"to": 3, "reason": "课程设置需调整"})["step_name"] == "课程设置"
    for body in ({}, {"document": "论证意见2.docx"}, {}, {}, {}):
        run = chain.done(head, f"{path}/done", body)
    assert (run["status"], len(run["history"])) == ("finished", 11)
    assert office.get(path).json()["status"] == "finished"
    assert head.get("planning/inbox/unread").json()["unread"] > 0

    _filed_and_written(chain, (head, office), tmp_path, capsys)


def _filed_and_written(
    chain: Chain, people: tuple[httpx.Client, httpx.Client], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A department's group is filed, and goals go out as Excel and in again."""
    school, (head, office) = chain.school, people
    group = {"unit": "D1", "name": "一系诊改工作组", "head": "HD", "members": ["T1"]}
    assert chain.done(head, "planning/registers/hb-rg-groups/filings", group)["status"] == "filed"
    assert office.get("planning/registers").json()["items"][0]["filed"] == 1
    until(lambda: office.get("planning/inbox/unread").json()["unread"] == 1, "the office to be told")

    goal = {"code": "G1", "statement": "建成省级骨干专业", "deliverable": {"name": "骨干专业", "level": "provincial"}, "unit": "D1"}
    chain.done(office, "planning/plans/hb-pl-00/goals", {"goal": goal})
    sheet = str(tmp_path / "goals.xlsx")
    assert zhengai(school.stack, "goals", "export", sheet, "--school", chain.code) == 0
    capsys.readouterr()
    assert zhengai(school.stack, "goals", "import", sheet, "--school", chain.code, "--plan", "hb-pl-00") == 0
    assert capsys.readouterr().out.startswith("0 goals are new")
    assert zhengai(school.stack, "goals", "export", sheet, "--school", chain.code, "--breakdown") != 0
