"""Standards, descriptions of posts and a unit's handbook: as bodies, and as Word documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Self

from libs.common.http import View
from libs.common.word import Block, Fields, Grid, Heading, Lines, write_word
from services.standards.domain.content import Content, Element
from services.standards.queries.handbook import Handbook
from services.standards.queries.standards import InForce

MET_BY = {"measured": "监测", "judged": "评判", "document": "文件", None: "未定"}


class FieldView(View):
    code: str
    name: str
    text: str | None


class PositionView(View):
    """The description of a post (岗位说明书) in force; `unit` null: the same in each unit."""

    code: str
    version: int
    name: str
    post: str
    unit: str | None
    effective_from: date
    fields: list[FieldView]

    @classmethod
    def of(cls, found: InForce) -> Self:
        content = found.content
        assert content.position is not None
        return cls(
            code=found.code,
            version=found.version,
            name=content.name,
            post=content.position.post,
            unit=content.position.unit,
            effective_from=content.effective_from,
            fields=[FieldView(code=each.code, name=each.name, text=each.text) for each in content.form],
        )


class OwnElementView(View):
    code: str
    name: str
    met_by: str | None
    indicators: list[str]


class OwnStandardView(View):
    """A standard that the unit answers for, or some elements of it."""

    code: str
    version: int
    name: str
    family: str
    elements: list[OwnElementView]

    @classmethod
    def of(cls, found: InForce, elements: Sequence[Element]) -> Self:
        shown = [OwnElementView(code=e.code, name=e.name, met_by=e.met_by, indicators=e.indicators) for e in elements]
        return cls(code=found.code, version=found.version, name=found.content.name, family=found.family, elements=shown)


class HandbookView(View):
    """The quality handbook of a unit (部门质量手册), put together from what is in force today."""

    unit: str
    name: str
    positions: list[PositionView]
    standards: list[OwnStandardView]

    @classmethod
    def of(cls, found: Handbook) -> Self:
        positions = [PositionView.of(each) for each in found.positions]
        standards = [OwnStandardView.of(*each) for each in found.standards]
        return cls(unit=found.unit, name=found.name, positions=positions, standards=standards)


def standard_document(code: str, version: int, content: Content, unit: str | None) -> bytes:
    """Print a version of a standard, or the description of a post; `unit`: the name of the unit whose post it is."""
    return write_word(content.name, list(_standard(code, version, content, unit, depth=1)))


def handbook_document(found: Handbook, day: date) -> bytes:
    """Print a unit's handbook as it is on a day."""
    blocks: list[Block] = [Fields([("部门", found.name), ("日期", f"{day}")]), Heading("岗位说明书")]
    for each in found.positions:
        blocks.append(Heading(each.content.name, 2))
        blocks += _standard(each.code, each.version, each.content, found.name, depth=3)
    blocks += [] if found.positions else [Lines(["无"])]
    blocks.append(Heading("质量标准"))
    for standard, elements in found.standards:
        blocks += [
            Heading(standard.content.name, 2),
            _head(standard.code, standard.version, standard.content),
            *_elements(elements),
        ]
    blocks += [] if found.standards else [Lines(["无"])]
    return write_word(f"{found.name}质量手册", blocks)


def _standard(code: str, version: int, content: Content, unit: str | None, *, depth: int) -> Iterator[Block]:
    yield _head(code, version, content, unit)
    if content.note:
        yield Lines(content.note.splitlines())
    for group in content.groups:
        yield Heading(group.name, depth)
        yield Fields([(each.name, each.text or "") for each in group.form_fields])
        yield from _elements(group.elements)
    for ladder in content.ladders:
        names = {each.code: each.name for each in content.elements}
        yield Heading(ladder.name, depth)
        yield Grid(("阶梯", "要素"), [(rung.name, "、".join(names[each] for each in rung.elements)) for rung in ladder.rungs])


def _head(code: str, version: int, content: Content, unit: str | None = None) -> Fields:
    said = [("代码", code), ("版本", f"{version}"), ("生效日期", f"{content.effective_from}")]
    if content.position is not None:
        said += [("岗位", content.position.post), ("所属部门", unit or "各部门")]
    more = (("依据文件", content.source_document), ("责任部门", content.owner))
    return Fields([*said, *((name, value) for name, value in more if value is not None)])


def _elements(elements: Sequence[Element]) -> list[Block]:
    if not elements:
        return []
    rows = [(e.code, e.name, MET_BY[e.met_by], "、".join(e.indicators), e.owner or "") for e in elements]
    return [Grid(("代码", "要素", "认定方式", "指标", "责任"), rows)]
