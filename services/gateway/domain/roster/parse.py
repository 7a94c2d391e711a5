"""OneRoster 1.2 CSV: from a zip to a `Roster`, or to a list of everything that is wrong with it.

Source: 1EdTech OneRoster 1.2 CSV binding, files of the rostering service; what the platform does not use is checked for form
and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from services.gateway.domain.roster.archive import Archive
from services.gateway.domain.roster.model import (
    PARENT_ROLES,
    Class,
    Course,
    Enrollment,
    Org,
    Parent,
    Person,
    Role,
    Roster,
    Session,
    cycle,
)
from services.gateway.domain.roster.sheet import Columns, Faults, Line, read_lines

NEEDED = ("orgs", "academicSessions", "courses", "classes", "users", "roles", "enrollments")
# Files of OneRoster that carry no master data: known to the manifest, left out when they come.
LEFT_OUT = frozenset(
    {"categories", "classResources", "courseResources", "lineItemLearningObjectiveIds", "lineItems", "lineItemScoreScales"}
    | {"resources", "resultLearningObjectiveIds", "results", "resultScoreScales", "scoreScales", "userProfiles", "userResources"}
)
KNOWN = frozenset({*NEEDED, "demographics", *LEFT_OUT})
ENROLLMENT_ROLES = frozenset({"student", "teacher", "proctor", "administrator"})
ROLES = frozenset(
    {"aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor", "relative"}
    | {"siteAdministrator", "student", "systemAdministrator", "teacher"}
)
UNIT_KINDS = frozenset({"department", "programme", "office"})
SESSION_KINDS = frozenset({"term", "semester", "schoolYear", "gradingPeriod"})
BOOLEANS = frozenset({"true", "false"})

_STATUS = ("status", "dateLastModified")
COLUMNS = {
    "orgs": Columns(("sourcedId", "name", "type"), (*_STATUS, "identifier", "parentSourcedId"), metadata=True),
    "academicSessions": Columns(
        ("sourcedId", "title", "type", "startDate", "endDate"), (*_STATUS, "parentSourcedId", "schoolYear"), metadata=True
    ),
    "courses": Columns(
        ("sourcedId", "title", "orgSourcedId"),
        (*_STATUS, "schoolYearSourcedId", "courseCode", "grades", "subjects", "subjectCodes"),
        metadata=True,
    ),
    "classes": Columns(
        ("sourcedId", "title", "courseSourcedId", "classType", "schoolSourcedId"),
        (*_STATUS, "grades", "classCode", "location", "termSourcedIds", "subjects", "subjectCodes", "periods"),
        metadata=True,
    ),
    "users": Columns(
        ("sourcedId", "enabledUser", "givenName", "familyName"),
        (
            *(*_STATUS, "username", "userIds", "middleName", "identifier", "email", "sms", "phone", "agentSourcedIds", "grades"),
            *("password", "userMasterIdentifier", "resourceSourcedIds", "preferredGivenName", "preferredMiddleName"),
            *("preferredFamilyName", "primaryOrgSourcedId", "pronouns"),
        ),
        metadata=True,
    ),
    "roles": Columns(
        ("sourcedId", "userSourcedId", "role", "orgSourcedId"),
        (*_STATUS, "roleType", "beginDate", "endDate", "userProfileSourcedId"),
        metadata=True,
    ),
    "enrollments": Columns(
        ("sourcedId", "classSourcedId", "userSourcedId", "role"),
        (*_STATUS, "schoolSourcedId", "primary", "beginDate", "endDate"),
        metadata=True,
    ),
    "demographics": Columns(
        ("sourcedId",),
        (
            *(*_STATUS, "birthDate", "sex", "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican"),
            *("nativeHawaiianOrOtherPacificIslander", "white", "demographicRaceTwoOrMoreRaces", "hispanicOrLatinoEthnicity"),
            *("countryOfBirthCode", "stateOfBirthAbbreviation", "cityOfBirth", "publicSchoolResidenceStatus"),
        ),
        metadata=True,
    ),
}
_MANIFEST = Columns(("propertyName", "value"))
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")


def parse_roster(body: bytes) -> Roster:
    """Read a zip of OneRoster 1.2 CSV, bulk. Raises Malformed, TooLarge, or Invalid naming file, row and column of each fault."""
    archive, faults = Archive(body), Faults()
    present = _read_manifest(archive, faults)
    faults.refuse("the roster is")
    reader = _Reader(archive, faults)
    reader.read(present)
    faults.refuse("the roster is")
    return reader.roster


def _read_manifest(archive: Archive, faults: Faults) -> set[str]:
    """Return the files that the manifest promises as bulk; each fault between it and the zip is noted."""
    if "manifest.csv" not in archive.names:
        faults.add("is missing: it says which files the zip holds", "manifest.csv")
        return set()
    values: dict[str, tuple[Line, str]] = {}
    for line in read_lines("manifest.csv", archive.lines("manifest.csv"), _MANIFEST, faults):
        name = line.text("propertyName", needed=True)
        if name in values:
            line.fault("propertyName", f"{name} stands twice")
        elif name.startswith("file.") and name[5:] not in KNOWN:
            line.fault("propertyName", f"OneRoster 1.2 has no file {name[5:]}.csv")
        values[name] = line, line.text("value")
    _check_versions(values, faults)
    states: dict[str, str] = {}
    for name, (line, value) in values.items():
        if name.startswith("file."):
            states[name[5:]] = value
            if value == "delta":
                line.fault("value", "delta imports come later: send all rows, as bulk")
            elif value not in {"absent", "bulk"}:
                line.fault("value", f"must be absent or bulk, not {value!r}")
    _compare(states, archive.names - {"manifest.csv"}, faults)
    return {name for name, state in states.items() if state == "bulk"}


def _check_versions(values: dict[str, tuple[Line, str]], faults: Faults) -> None:
    for name, wanted in (("manifest.version", "1.0"), ("oneroster.version", "1.2")):
        if name not in values:
            faults.add(f"does not say {name}", "manifest.csv")
        elif values[name][1] != wanted:
            values[name][0].fault("value", f"{name} must be {wanted}, not {values[name][1]!r}")


def _compare(states: dict[str, str], names: set[str], faults: Faults) -> None:
    """Note where the manifest and the zip differ."""
    for name in (*NEEDED, *(name for name in states if name not in NEEDED)):
        state, there = states.get(name, "absent"), f"{name}.csv" in names
        if state == "bulk" and not there:
            faults.add("is missing: the manifest says that it is here", f"{name}.csv")
        elif state == "absent" and there:
            faults.add("is in the zip, but the manifest does not say so", f"{name}.csv")
        elif state == "absent" and name in NEEDED:
            faults.add("is missing: a bulk import holds " + " ".join(NEEDED), f"{name}.csv")
    for file in sorted(names):
        name = file.removesuffix(".csv")
        if name not in states and name not in NEEDED:
            faults.add(
                "is in the zip, but the manifest does not say so" if name in KNOWN else "is not a file of OneRoster 1.2", file
            )


class _Reader:
    """Reads file after file, each after those that it refers to."""

    def __init__(self, archive: Archive, faults: Faults) -> None:
        self.archive, self.faults, self.roster = archive, faults, Roster()
        self.agents: list[tuple[str, list[str]]] = []

    def read(self, present: set[str]) -> None:
        """Read all files; after one whose form is broken stop, or each row that refers to it would be a fault too."""
        steps = [self.sessions, self.orgs, self.courses, self.classes, self.users, self.roles, self.parents, self.enrollments]
        for step in (*steps, self.demographics) if "demographics" in present else steps:
            step()
            if self.faults.broken:
                return

    def lines(self, name: str) -> Iterator[Line]:
        """Yield the rows that are to stand: counted, each id once, those to be deleted left out."""
        seen: dict[str, int] = {}
        self.roster.rows[name] = 0
        file = f"{name}.csv"
        for line in read_lines(file, self.archive.lines(file), COLUMNS[name], self.faults):
            self.roster.rows[name] += 1
            id_ = line.id()
            if id_ in seen:
                line.fault("sourcedId", f"{id_!r} stands in row {seen[id_]} too")
            elif id_:
                seen[id_] = line.row
                if line.choice("status", ("active", "tobedeleted"), default="active") == "active":
                    yield line

    def sessions(self) -> None:
        kept: list[Line] = []
        for line in self.lines("academicSessions"):
            title, kind = line.text("title", needed=True), line.choice("type", SESSION_KINDS)
            start, end = _span(line, "startDate", "endDate", needed=True)
            if start and start == end:
                line.fault("endDate", "must be after startDate: the end is the first day that is not part of it")
            if (year := line.text("schoolYear")) and not re.fullmatch(r"\d{4}", year, re.ASCII):
                line.fault("schoolYear", f"must be a year of four digits, not {year!r}")
            self.roster.sessions[line.id()] = Session(line.id(), title, kind, start or date.min, end or date.max)
            kept.append(line)
        self.no_cycle("academicSessions.csv", kept, self.roster.sessions, "session")

    def orgs(self) -> None:
        kept: list[Line] = []
        for line in self.lines("orgs"):
            name, kind = line.text("name", needed=True), line.choice("type", ("school", "department"))
            if kind == "department":
                kind = line.choice("metadata.kind", UNIT_KINDS, default=kind)
            elif kind:
                line.choice("metadata.kind", ("school",), default=kind)
            self.roster.orgs[line.id()] = Org(line.id(), name, kind, line.values.get("parentSourcedId", "").strip() or None)
            kept.append(line)
        self.no_cycle("orgs.csv", kept, self.roster.orgs, "org")

    def no_cycle(self, file: str, lines: list[Line], known: dict[str, Org] | dict[str, Session], kind: str) -> None:
        """Note parents that do not exist, and the first circle of parents."""
        parents = {line.id(): line.reference("parentSourcedId", known, kind) for line in lines}
        if circle := cycle(parents):
            row = next(line.row for line in lines if line.id() == circle[0])
            self.faults.add(f"its parents lead in a circle: {' → '.join((*circle[:10], circle[0]))}", file, row, "parentSourcedId")

    def courses(self) -> None:
        for line in self.lines("courses"):
            line.reference("schoolYearSourcedId", self.roster.sessions, "session")
            org = line.reference("orgSourcedId", self.roster.orgs, "org")
            self.roster.courses[line.id()] = Course(line.id(), line.text("title", needed=True), org)

    def classes(self) -> None:
        for line in self.lines("classes"):
            kind = line.choice("classType", ("scheduled", "homeroom"))
            course = line.reference("courseSourcedId", self.roster.courses, "course", needed=kind == "scheduled")
            org = line.reference("schoolSourcedId", self.roster.orgs, "org", needed=True)
            line.references("termSourcedIds", self.roster.sessions, "session")
            self.roster.classes[line.id()] = Class(line.id(), line.text("title", needed=True), kind, course, org)

    def users(self) -> None:
        named: list[Line] = []
        for line in self.lines("users"):
            given, family = line.text("givenName"), line.text("familyName")
            if not given and not family:
                line.fault("givenName", "a person needs a given or a family name")
            enabled = line.choice("enabledUser", BOOLEANS) == "true"
            line.reference("primaryOrgSourcedId", self.roster.orgs, "org")
            self.roster.people[line.id()] = Person(line.id(), full_name(given, family), enabled, (), ())
            if line.values.get("agentSourcedIds"):
                named.append(line)
        self.agents = [(line.id(), line.references("agentSourcedIds", self.roster.people, "user")) for line in named]

    def roles(self) -> None:
        for line in self.lines("roles"):
            line.choice("roleType", ("primary", "secondary"), default="primary")
            role = _role(line, ROLES)
            person = line.reference("userSourcedId", self.roster.people, "user", needed=True)
            org = line.reference("orgSourcedId", self.roster.orgs, "org", needed=True)
            start, end = _span(line, "beginDate", "endDate")
            if person and org:
                self.roster.roles[line.id()] = Role(line.id(), person, role, org, start, end)

    def parents(self) -> None:
        """An agent of a student who is a parent, guardian or relative, whichever of the two rows names the other."""
        elders = {role.person for role in self.roster.roles.values() if role.role in PARENT_ROLES}
        students = {role.person for role in self.roster.roles.values() if role.role == "student"}
        for person, agents in self.agents:
            for agent in agents:
                for elder, child in ((agent, person), (person, agent)):
                    if elder in elders and child in students and elder != child:
                        self.roster.parents[elder, child] = Parent(elder, child)

    def enrollments(self) -> None:
        for line in self.lines("enrollments"):
            class_id = line.reference("classSourcedId", self.roster.classes, "class", needed=True)
            person = line.reference("userSourcedId", self.roster.people, "user", needed=True)
            line.reference("schoolSourcedId", self.roster.orgs, "org")
            role = _role(line, ENROLLMENT_ROLES)
            primary = line.choice("primary", BOOLEANS, default="false") == "true"
            start, end = _span(line, "beginDate", "endDate")
            if class_id and person:
                self.roster.enrollments[line.id()] = Enrollment(line.id(), class_id, person, role, primary, start, end)

    def demographics(self) -> None:
        """Checked, and not kept: nothing here needs them."""
        for line in self.lines("demographics"):
            line.reference("sourcedId", self.roster.people, "user")


def _role(line: Line, roles: frozenset[str]) -> str:
    """A role of the vocabulary, or one of the sender's own, `ext:…`, as OneRoster 1.2 allows."""
    value = line.text("role", needed=True)
    if re.fullmatch(r"ext:[A-Za-z0-9._-]+", value):
        return value
    return line.choice("role", roles) if value else ""


def _span(line: Line, begin: str, finish: str, *, needed: bool = False) -> tuple[date | None, date | None]:
    """Two days, the second exclusive."""
    start, end = line.date(begin, needed=needed), line.date(finish, needed=needed)
    if start and end and end < start:
        line.fault(finish, f"is before {begin}")
    return start, end


def full_name(given: str, family: str) -> str:
    """The name as it is said: 王小明, but Ada Lovelace."""
    if _CHINESE.search(given + family):
        return family + given
    return f"{given} {family}".strip()
