"""What one version of a standard says: one document, checked whole when it is written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from libs.common.days import Day
from libs.common.errors import Fault
from libs.common.events import standards as events
from services.standards.domain.values import Code, Id, Kept, Level, Line, Post, Prose, Window

Issuer = Literal["national", "provincial", "municipal", "institutional"]
Months = Annotated[int, Field(ge=1, le=1200)]
PERSONS = frozenset({"teacher", "student"})
"""The levels whose subjects are persons."""
SELF = "self"
"""In the place of a post: who the element is about judges it. Whether they may judge at all, the gateway's table says."""


class Part(BaseModel):
    """A part of a document: unknown fields refused, nothing bent into another type, kept as JSON and read again the same."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Clause(Part):
    code: Line
    text: Prose


class FormField(Part):
    """A field of a form (岗位说明书), no element: nobody is judged by it. `text` None: the form is empty there."""

    code: Code
    name: Line
    name_en: Line | None = None
    text: Prose | None = None


class Position(Part):
    """The post that a filled form describes (岗位说明书): its code, and the unit whose post it is; None: it is the same in each unit."""

    post: Post
    unit: Id | None = None


class Rater(Part):
    """One of several sides that judge, and what its word weighs beside the others' (None: the school has not said)."""

    by: Post
    weight: Annotated[Kept, Field(gt=0, le=1)] | None = None


class Judged(Part):
    """Judged by who holds a post over the subject (`self`: by the teacher or student), each time for so many months at most.

    Several `raters` in the place of one (多方评价): met where the weights of those who say so come to `passes_at`; without weights only
    where all say the same.
    """

    by: Post | None = None
    raters: Annotated[list[Rater], Field(max_length=10)] = []
    passes_at: Annotated[Kept, Field(gt=0, le=1)] | None = None
    every_months: Months | None = None
    evidence: Annotated[Prose | None, Field(description="What a judgement has to rest on.")] = None

    @property
    def posts(self) -> list[str]:
        """Who judges, each side once."""
        return [each.by for each in self.raters] if self.by is None else [self.by]


class Document(Part):
    """Met by a rule that is in force; without its version it is not known to be."""

    rule: Line
    version: Line | None = None


class Criterion(Part):
    """What a metric's value must be: of the latest window that has data, and no older than `valid_months` where these are given."""

    metric: Code
    comparison: Literal["at_least", "at_most"]
    value: Kept
    window: Window = "year"
    min_denominator: Annotated[Kept | None, Field(description="A window with less does not count as data.")] = None
    valid_months: Months | None = None


class Floor(Part):
    """The bottom line (底线) of a metric: no target and no personal standard may be past it. `clause` is what a refusal names."""

    metric: Code
    comparison: Literal["at_least", "at_most"]
    value: Kept
    clause: Line

    def holds(self, value: Decimal) -> bool:
        """Whether a target or a personal standard keeps to it; on the line it does."""
        return value >= self.value if self.comparison == "at_least" else value <= self.value

    def said(self) -> str:
        return f"{'at least' if self.comparison == 'at_least' else 'at most'} {self.value:f}"


class Element(Part):
    """An element (要素) and how it is met; None: the documents do not say, and it stays undetermined."""

    code: Code
    name: Line
    name_en: Line | None = None
    note: Prose | None = None
    clauses: Annotated[list[Clause], Field(max_length=200)] = []
    issuer: Issuer | None = None
    owner: Line | None = None
    met_by: Literal["measured", "judged", "document"] | None = None
    indicators: Annotated[list[Code], Field(max_length=50, description="Codes of the school's indicators or metrics.")] = []
    criterion: Criterion | None = None
    judged: Judged | None = None
    document: Document | None = None
    floor: Floor | None = None

    @classmethod
    def kept(cls, said: Mapping[str, Any]) -> Element | None:
        """Read what `model_dump(mode="json")` wrote, also before elements had some of their fields; None: it has one that is no more."""
        try:
            return cls.model_validate_json(json.dumps(said))
        except ValidationError:
            return None

    @property
    def names(self) -> set[str]:
        """The indicators and metrics that it names."""
        parts = (self.criterion, self.floor)
        return {*self.indicators, *(part.metric for part in parts if part is not None)}


class Group(Part):
    """Elements that belong together; none: a placeholder for what the documents have lost."""

    code: Code
    name: Line
    name_en: Line | None = None
    elements: Annotated[list[Element], Field(max_length=500)] = []
    form_fields: Annotated[list[FormField], Field(max_length=100)] = []


class Rung(Part):
    """A step of a ladder and the elements that it asks for; none: a placeholder, which nobody attains."""

    code: Code
    name: Line
    name_en: Line | None = None
    elements: Annotated[list[Code], Field(max_length=500)] = []


class Ladder(Part):
    """Rungs from the lowest up, for subjects of a level. Cumulative: a rung asks for all that those below it ask for, too."""

    code: Code
    name: Line
    name_en: Line | None = None
    level: Level
    cumulative: bool = False
    rungs: Annotated[list[Rung], Field(max_length=50)] = []

    def required(self, rung: Rung) -> list[str]:
        """The codes of the elements that a rung asks for, each once."""
        at = self.rungs.index(rung)
        asked = [code for each in (self.rungs[: at + 1] if self.cumulative else [rung]) for code in each.elements]
        return list(dict.fromkeys(asked))


class Said(Part):
    """What a standard says, whenever it is in force."""

    name: Annotated[Line, Field(examples=["师资队伍建设标准"])]
    name_en: Line | None = None
    note: Prose | None = None
    issuer: Issuer = "institutional"
    source_document: Line | None = None
    owner: Line | None = None
    level: Annotated[Level | None, Field(description="Whom its elements are about, beside the subjects of its ladders.")] = None
    position: Annotated[Position | None, Field(description="It describes a post: its form fields are filled in.")] = None
    trial: Annotated[bool, Field(description="Tried out (试运行): in force, and nobody is refused by its floors.")] = False
    groups: Annotated[list[Group], Field(max_length=200)] = []
    ladders: Annotated[list[Ladder], Field(max_length=50)] = []

    @property
    def elements(self) -> list[Element]:
        return [element for group in self.groups for element in group.elements]


class Content(Said):
    """What one version of a standard says. In force from midnight of `effective_from` until midnight of `effective_to`."""

    effective_from: Day
    effective_to: Annotated[Day | None, Field(description="The first day on which it is no longer in force.")] = None

    @classmethod
    def kept(cls, document: Mapping[str, Any]) -> Self:
        """Read what `model_dump(mode="json")` wrote."""
        return cls.model_validate_json(json.dumps(document))

    def element(self, code: str) -> Element | None:
        return next((each for each in self.elements if each.code == code), None)

    def ladder(self, code: str) -> Ladder | None:
        return next((each for each in self.ladders if each.code == code), None)

    @property
    def form(self) -> list[FormField]:
        return [each for group in self.groups for each in group.form_fields]

    def unfilled(self, asked: Iterable[FormField]) -> list[Fault]:
        """What a post description lacks: fields without text, and those of the school's form (`asked`) that it does not have."""
        if self.position is None:
            return []
        placed = [
            (f"/groups/{n}/form_fields/{m}/text", each)
            for n, group in enumerate(self.groups)
            for m, each in enumerate(group.form_fields)
        ]
        found = [Fault(pointer=at, detail=f"{each.name} is empty") for at, each in placed if each.text is None]
        codes = {each.code for each in self.form}
        return found + [
            Fault(pointer="/groups", detail=f"the form asks for {f.name} ({f.code})") for f in asked if f.code not in codes
        ]

    def levels(self, element: str) -> set[str]:
        """The levels of the subjects that an element is about; none: it does not say."""
        ladders = {each.level for each in self.ladders if any(element in rung.elements for rung in each.rungs)}
        return {*ladders, *([] if self.level is None else [self.level])}

    def with_metrics(self, codes: Mapping[str, str]) -> Content:
        """Return the same with metrics named by their codes, which `codes` gives for each name that it knows."""
        groups = [group.model_copy(update={"elements": [_coded(e, codes) for e in group.elements]}) for group in self.groups]
        return self.model_copy(update={"groups": groups})

    @property
    def floors(self) -> list[tuple[Element, Floor]]:
        """The bottom lines that count, with their elements: none while the standard is tried out."""
        return [] if self.trial else [(each, each.floor) for each in self.elements if each.floor is not None]

    def activated(self, code: str, version: int, family: str, kind: str | None) -> events.StandardActivated:
        """Return the fact that this is in force."""
        elements = [
            events.Element(
                code=each.code,
                name=each.name,
                met_by=each.met_by or events.UNSTATED,
                indicators=each.indicators,
                floor=None if each.floor is None or self.trial else events.Floor(**each.floor.model_dump()),
            )
            for each in self.elements
        ]
        return events.StandardActivated(
            code=code,
            version=version,
            family=family,
            kind=kind,
            name=self.name,
            effective_from=self.effective_from,
            elements=elements,
            levels=sorted({*([] if self.level is None else [self.level]), *(ladder.level for ladder in self.ladders)}),
            trial=self.trial,
        )

    def metrics(self) -> Iterator[tuple[str, str]]:
        """Each metric that it names outside `indicators`, with the pointer where it does."""
        for at, element in self._placed():
            if element.criterion is not None:
                yield element.criterion.metric, f"{at}/criterion/metric"
            if element.floor is not None:
                yield element.floor.metric, f"{at}/floor/metric"

    def measures(self) -> Iterator[tuple[str, str]]:
        """Each indicator or metric that elements name in `indicators`, with its pointer."""
        for at, element in self._placed():
            for n, code in enumerate(element.indicators):
                yield code, f"{at}/indicators/{n}"

    def faults(self) -> Iterator[Fault]:
        """What contradicts itself."""
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            yield Fault(pointer="/effective_to", detail="a standard ends after the day on which it begins")
        if self.position is not None and not self.form:
            yield Fault(pointer="/position", detail="a post is described by the fields of a form: a group needs form_fields")
        yield from _twice([(group.code, f"/groups/{n}/code") for n, group in enumerate(self.groups)], "group")
        yield from _twice([(element.code, f"{at}/code") for at, element in self._placed()], "element")
        for n, group in enumerate(self.groups):
            codes = [(each.code, f"/groups/{n}/form_fields/{m}/code") for m, each in enumerate(group.form_fields)]
            yield from _twice(codes, "field")
        for at, element in self._placed():
            yield from _faults_of_element(element, at)
            yield from _faults_of_own_word(element, self.levels(element.code), at)
        yield from self._faults_of_ladders()

    def _placed(self) -> Iterator[tuple[str, Element]]:
        for n, group in enumerate(self.groups):
            for m, element in enumerate(group.elements):
                yield f"/groups/{n}/elements/{m}", element

    def _faults_of_ladders(self) -> Iterator[Fault]:
        known = {element.code for element in self.elements}
        yield from _twice([(ladder.code, f"/ladders/{n}/code") for n, ladder in enumerate(self.ladders)], "ladder")
        for n, ladder in enumerate(self.ladders):
            yield from _twice([(rung.code, f"/ladders/{n}/rungs/{m}/code") for m, rung in enumerate(ladder.rungs)], "rung")
            for m, rung in enumerate(ladder.rungs):
                named = [(code, f"/ladders/{n}/rungs/{m}/elements/{k}") for k, code in enumerate(rung.elements)]
                yield from _twice(named, "element")
                for code, at in named:
                    if code not in known:
                        yield Fault(pointer=at, detail=f"the standard has no element {code!r}")


def _coded(element: Element, codes: Mapping[str, str]) -> Element:
    said: dict[str, object] = {}
    for name in ("criterion", "floor"):
        if (part := getattr(element, name)) is not None:
            said[name] = part.model_copy(update={"metric": codes.get(part.metric, part.metric)})
    return element.model_copy(update=said)


def _twice(named: Sequence[tuple[str, str]], what: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for code, at in named:
        if code in seen:
            yield Fault(pointer=at, detail=f"the {what} {code} stands twice")
        seen.add(code)


def _faults_of_element(element: Element, at: str) -> Iterator[Fault]:
    """How it is met says what else it has to say, and nothing of the other ways."""
    if element.met_by == "measured" and not element.indicators and element.criterion is None:
        yield Fault(pointer=f"{at}/indicators", detail="what is measured names indicators, or a criterion")
    if element.criterion is not None and element.met_by != "measured":
        yield Fault(pointer=f"{at}/criterion", detail="only what is measured has a criterion")
    for way in ("judged", "document"):
        said = getattr(element, way) is not None
        if said and element.met_by != way:
            yield Fault(pointer=f"{at}/{way}", detail=f"only an element that is met by {way!r} says this")
        if not said and element.met_by == way:
            yield Fault(pointer=f"{at}/{way}", detail=f"an element that is met by {way!r} says it")
    if element.judged is not None:
        yield from _faults_of_judges(element.judged, f"{at}/judged")
    yield from _twice([(clause.code, f"{at}/clauses/{n}/code") for n, clause in enumerate(element.clauses)], "clause")
    codes = {clause.code for clause in element.clauses}
    if element.floor is not None and codes and element.floor.clause not in codes:
        yield Fault(pointer=f"{at}/floor/clause", detail=f"the element has no clause {element.floor.clause!r}")
    if element.criterion is not None and (least := element.criterion.min_denominator) is not None and least <= 0:
        yield Fault(pointer=f"{at}/criterion/min_denominator", detail="more than 0")


def _faults_of_own_word(element: Element, levels: set[str], at: str) -> Iterator[Fault]:
    """Who the element is about judges it only where that is a person."""
    if element.judged is None or SELF not in element.judged.posts or not (impersonal := sorted(levels - PERSONS)):
        return
    where = "by" if element.judged.by is not None else f"raters/{element.judged.posts.index(SELF)}/by"
    yield Fault(pointer=f"{at}/judged/{where}", detail=f"a {impersonal[0]} is nobody who could judge itself: a post does")


def _faults_of_judges(judged: Judged, at: str) -> Iterator[Fault]:
    """One post judges, or several sides do, whose weights are 1 together where they have any."""
    if (judged.by is None) is not bool(judged.raters):
        yield Fault(pointer=f"{at}/by", detail="one post judges, or several raters do")
    if len(judged.raters) == 1:
        yield Fault(pointer=f"{at}/raters", detail="a rater alone is the post that judges: say `by`")
    yield from _twice([(each.by, f"{at}/raters/{n}/by") for n, each in enumerate(judged.raters)], "rater")
    weights = [each.weight for each in judged.raters if each.weight is not None]
    if weights and (len(weights) < len(judged.raters) or sum(weights) != 1):
        yield Fault(pointer=f"{at}/raters", detail="either no rater has a weight, or each has one, and they are 1 together")
    if bool(weights) is (judged.passes_at is None):
        yield Fault(pointer=f"{at}/passes_at", detail="weights say from which share on it is met, and nothing else does")
