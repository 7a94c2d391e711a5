"""A small college as OneRoster 1.2 CSV, for tests to change a row, a column or the zip around it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

MANIFEST = """propertyName,value
manifest.version,1.0
oneroster.version,1.2
file.orgs,bulk
file.academicSessions,bulk
file.courses,bulk
file.classes,bulk
file.users,bulk
file.roles,bulk
file.enrollments,bulk
file.demographics,absent
source.systemName,教务系统
"""

FILES = {
    "manifest.csv": MANIFEST,
    "orgs.csv": """sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId,metadata.kind
hbpt,,,湖北职院,school,,,
mech,,,机电学院,department,,hbpt,
cnc,,,数控技术专业,department,,mech,programme
cncroom,,,数控教研室,department,,mech,office
""",
    "academicSessions.csv": """sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear
2025,,,2025-2026学年,schoolYear,2025-09-01,2026-09-01,,2026
2026S,,,2026春,term,2026-02-24,2026-07-11,2025,2026
""",
    "courses.csv": """sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes
CNC101,,,2025,数控编程,CNC101,,cnc,,
""",
    "classes.csv": (
        "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,"
        "termSourcedIds,subjects,subjectCodes,periods\n"
        'CNC101-2026S,,,"数控编程 2026春",,CNC101,,scheduled,,mech,"2025,2026S",,,\n'
        "H2301,,,数控2301班,,,,homeroom,,cnc,,,,\n"
    ),
    "users.csv": """sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName,agentSourcedIds
S1,,,true,s1,小明,王,P1
S2,,,true,s2,Ada,Lovelace,
T1,,,true,t1,芳,李,
T2,,,true,t2,强,赵,
P1,,,true,p1,大山,王,
""",
    "roles.csv": """sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId
R1,,,S1,primary,student,,,cnc
R2,,,S2,primary,student,,,cnc
R3,,,T1,primary,teacher,,,mech
R4,,,T2,primary,teacher,,,mech
R5,,,P1,primary,parent,,,hbpt
""",
    "enrollments.csv": (
        "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n"
        "E1,,,CNC101-2026S,mech,S1,student,,,\n"
        "E2,,,CNC101-2026S,mech,S2,student,,2026-02-24,\n"
        "E3,,,CNC101-2026S,mech,T1,teacher,true,,\n"
        "E4,,,H2301,cnc,S1,student,,,\n"
        "E5,,,H2301,cnc,T2,teacher,true,,\n"
    ),
}


def files(**changes: str | None) -> dict[str, str | bytes]:
    """The files, some replaced or (None) left out; `orgs="…"` stands for orgs.csv."""
    named = {f"{name}.csv": content for name, content in changes.items()}
    return {name: content for name, content in {**FILES, **named}.items() if content is not None}


def with_line(name: str, line: str) -> str:
    """A file with one more row."""
    return FILES[f"{name}.csv"] + line + "\n"


def replaced(name: str, old: str, new: str) -> str:
    """A file with one piece of text changed."""
    content = FILES[f"{name}.csv"]
    assert old in content
    return content.replace(old, new, 1)


def without(name: str, *starts: str) -> str:
    """A file without the rows that begin so."""
    lines = FILES[f"{name}.csv"].splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(starts)]
    assert len(kept) == len(lines) - len(starts)
    return "".join(kept)


def zipped(content: Mapping[str, str | bytes] | None = None, *, folder: str = "", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The files as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, text in (content if content is not None else FILES).items():
            archive.writestr(folder + name, text)
    return buffer.getvalue()
