"""The demo school: invented from end to end, and plainly so. Its people are 演示学生001, 演示教师01 and so on.

Everything follows from a few constants, so the roster that is imported and the lessons that the simulator holds are the
same school.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

CODE = "demo"
NAME = "演示职业技术学院(虚构)"
SOURCES = ("attendance", "classroom", "teaching")
STUDENTS, TEACHERS, HOMEROOMS, PARENTS = 600, 60, 20, 12

_ROOT = "demo-school"
# Department, then its programmes with their courses.
_PLAN: Mapping[str, Mapping[str, Sequence[str]]] = {
    "机电工程系": {
        "数控技术专业": ("数控编程", "机械制图", "机床操作", "公差与测量"),
        "机器人技术专业": ("机器人基础", "电气控制", "传感器应用", "液压与气动"),
    },
    "信息工程系": {
        "软件技术专业": ("程序设计", "数据库应用", "网页开发", "软件测试"),
        "网络技术专业": ("网络基础", "路由与交换", "系统运维", "信息安全"),
    },
    "经济管理系": {
        "会计专业": ("基础会计", "成本核算", "税务实务", "财务软件"),
        "物流专业": ("物流基础", "仓储管理", "运输实务", "供应链"),
    },
}


@dataclass(frozen=True, slots=True)
class Unit:
    """A department, programme or office; `parent` is the unit above."""

    id: str
    name: str
    kind: str
    parent: str


@dataclass(frozen=True, slots=True)
class Course:
    """A course and the teacher who leads it."""

    id: str
    title: str
    programme: str
    leader: str


@dataclass(frozen=True, slots=True)
class Lessons:
    """A scheduled class with its teacher."""

    id: str
    title: str
    course: str
    programme: str
    teacher: str


@dataclass(frozen=True, slots=True)
class Homeroom:
    """A homeroom with its class teacher (班主任)."""

    id: str
    title: str
    programme: str
    teacher: str


@dataclass(frozen=True, slots=True)
class Student:
    """A student with homeroom and scheduled classes."""

    id: str
    name: str
    homeroom: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class DemoSchool:
    """Who and what there is. `teachers` maps each teacher to the department, `parents` each parent to the child."""

    units: list[Unit] = field(default_factory=list)
    courses: list[Course] = field(default_factory=list)
    classes: list[Lessons] = field(default_factory=list)
    homerooms: list[Homeroom] = field(default_factory=list)
    students: list[Student] = field(default_factory=list)
    teachers: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[Unit]:
        return [unit for unit in self.units if unit.kind == kind]

    def students_of(self, class_id: str) -> list[Student]:
        return [student for student in self.students if class_id in student.classes]


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in; `role` is the post that the account shows."""

    username: str
    person: str
    role: str


def build() -> DemoSchool:
    """Return the school, the same each time."""
    school = DemoSchool()
    for d, (department, programmes) in enumerate(_PLAN.items(), start=1):
        school.units.append(Unit(f"D{d}", f"演示{department}", "department", _ROOT))
        school.units.append(Unit(f"D{d}-O", f"演示{department}教研室", "office", f"D{d}"))
        school.teachers.update(dict.fromkeys(_teachers_of(d), f"D{d}"))
        for p, (programme, courses) in enumerate(programmes.items(), start=1):
            unit = Unit(f"D{d}-P{p}", f"演示{programme}", "programme", f"D{d}")
            school.units.append(unit)
            _teach(school, unit, courses, first=4 * (p - 1))
    _found_homerooms(school)
    _enrol(school)
    school.parents.update({f"P{n:02}": school.students[n * 7].id for n in range(1, PARENTS + 1)})
    return school


def _teachers_of(department: int) -> list[str]:
    each = TEACHERS // len(_PLAN)
    return [f"T{each * (department - 1) + n:02}" for n in range(1, each + 1)]


def _teach(school: DemoSchool, programme: Unit, titles: Sequence[str], first: int) -> None:
    """Add a programme's courses, with two classes each but for every sixth course."""
    teachers = [teacher for teacher, department in school.teachers.items() if department == programme.parent]
    for n, title in enumerate(titles):
        # Teachers 1 to 4 of a department hold posts; the next eight lead a course each.
        leader = teachers[4 + first + n]
        course = Course(f"{programme.id}-C{n + 1}", title, programme.id, leader)
        school.courses.append(course)
        for section in range(1, 2 if len(school.courses) % 6 == 0 else 3):
            teacher = leader if section == 1 else teachers[12 + first + n]
            school.classes.append(Lessons(f"{course.id}-{section}", f"{title}{section}班", course.id, programme.id, teacher))


def _found_homerooms(school: DemoSchool) -> None:
    programmes = school.of_kind("programme")
    for n in range(HOMEROOMS):
        programme = programmes[n % len(programmes)]
        teachers = [teacher for teacher, department in school.teachers.items() if department == programme.parent]
        number = n // len(programmes) + 1
        title = f"{programme.name.removesuffix('专业')}{number}班"
        led = sum(each.teacher in teachers for each in school.homerooms)
        school.homerooms.append(Homeroom(f"{programme.id}-H{number}", title, programme.id, teachers[-1 - led]))


def _enrol(school: DemoSchool) -> None:
    """Put thirty students in each homeroom; each takes the programme's four courses, every other one a fifth of a sister's."""
    for n in range(STUDENTS):
        homeroom = school.homerooms[n % HOMEROOMS]
        own = [course for course in school.courses if course.programme == homeroom.programme]
        department = homeroom.programme.partition("-")[0]
        sister = [c for c in school.courses if c.programme.startswith(f"{department}-") and c not in own]
        taken = [*own, sister[n // HOMEROOMS % len(sister)]] if n % 2 else own
        classes = tuple(_section(school, course.id, n // HOMEROOMS).id for course in taken)
        school.students.append(Student(f"S{n + 1:03}", f"演示学生{n + 1:03}", homeroom.id, classes))


def _section(school: DemoSchool, course: str, n: int) -> Lessons:
    sections = [each for each in school.classes if each.course == course]
    return sections[n % len(sections)]


# --- roster ----------------------------------------------------------------------------------------------------------


def terms(today: date) -> list[tuple[str, str, date, date]]:
    """The two terms of the academic year that holds `today`: id, title, first day, the day after the last."""
    year = today.year if (today.month, today.day) >= (9, 1) else today.year - 1
    spring = date(year + 1, 2, 21)
    return [
        (f"{year}-1", f"{year}-{year + 1}学年第一学期", date(year, 9, 1), spring),
        (f"{year}-2", f"{year}-{year + 1}学年第二学期", spring, date(year + 1, 9, 1)),
    ]


def term_start(today: date) -> date:
    """First day of the term that holds `today`."""
    return max(start for _, _, start, _ in terms(today) if start <= today)


def roster_files(today: date) -> dict[str, str]:
    """The roster as the files of a OneRoster 1.2 export, by name."""
    school = build()
    sessions = [(id_, title, "term", start, end) for id_, title, start, end in terms(today)]
    orgs = [(_ROOT, NAME, "school", "", "")]
    orgs += [(u.id, u.name, "department", u.parent, "" if u.kind == "department" else u.kind) for u in school.units]
    scheduled = [(c.id, c.title, c.course, "scheduled", c.programme) for c in school.classes]
    homerooms = [(h.id, h.title, "", "homeroom", h.programme) for h in school.homerooms]
    files = {
        "orgs": _csv("sourcedId,name,type,parentSourcedId,metadata.kind", orgs),
        "academicSessions": _csv("sourcedId,title,type,startDate,endDate", sessions),
        "courses": _csv("sourcedId,title,orgSourcedId", [(c.id, c.title, c.programme) for c in school.courses]),
        "classes": _csv("sourcedId,title,courseSourcedId,classType,schoolSourcedId", scheduled + homerooms),
        "users": _csv("sourcedId,enabledUser,givenName,familyName,agentSourcedIds", _users(school)),
        "roles": _csv("sourcedId,userSourcedId,roleType,role,orgSourcedId", _roles(school)),
        "enrollments": _csv("sourcedId,classSourcedId,userSourcedId,role,primary", _enrollments(school)),
    }
    said = [("manifest.version", "1.0"), ("oneroster.version", "1.2"), *((f"file.{name}", "bulk") for name in files)]
    return {"manifest.csv": _csv("propertyName,value", said)} | {f"{name}.csv": text for name, text in files.items()}


# People of no department: id, name, OneRoster role.
_OTHERS = (
    ("L01", "演示校领导", "principal"),
    ("Q01", "演示质量办主任", "ext:quality"),
    ("G01", "演示推进组成员", "ext:quality"),
    ("E01", "演示校外专家", "ext:expert"),
    ("A01", "演示职员", "aide"),
)


def _users(school: DemoSchool) -> list[tuple[str, ...]]:
    children = {child: parent for parent, child in school.parents.items()}
    names = [(s.id, s.name, children.get(s.id, "")) for s in school.students]
    names += [(id_, f"演示教师{id_[1:]}", "") for id_ in school.teachers]
    names += [(id_, f"演示家长{id_[1:]}", "") for id_ in school.parents]
    names += [(id_, name, "") for id_, name, _ in _OTHERS]
    return [(id_, "true", name.removeprefix("演示"), "演示", agent) for id_, name, agent in names]


def _roles(school: DemoSchool) -> list[tuple[str, ...]]:
    held = [(s.id, "student", s.homeroom.rpartition("-")[0]) for s in school.students]
    held += [(id_, "teacher", department) for id_, department in school.teachers.items()]
    held += [(id_, "parent", _ROOT) for id_ in school.parents]
    held += [(id_, role, _ROOT) for id_, _, role in _OTHERS]
    return [(f"R-{id_}", id_, "primary", role, org) for id_, role, org in held]


def _enrollments(school: DemoSchool) -> list[tuple[str, ...]]:
    taught = [(class_id, s.id) for s in school.students for class_id in (s.homeroom, *s.classes)]
    led: Iterable[Lessons | Homeroom] = [*school.classes, *school.homerooms]
    rows = [(f"{class_id}~{person}", class_id, person, "student", "") for class_id, person in taught]
    return [*rows, *((f"{each.id}~{each.teacher}", each.id, each.teacher, "teacher", "true") for each in led)]


def _csv(header: str, rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header.split(","))
    writer.writerows(rows)
    return text.getvalue()


# --- posts and accounts ----------------------------------------------------------------------------------------------


def posts_csv(today: date) -> str:
    """The posts that a roster does not carry, as the CSV of `PUT /api/v1/posts`."""
    school = build()
    start = terms(today)[0][2]
    rows = [
        ("L01", "school_leader", "", start, ""),
        ("Q01", "quality_office", "", start, ""),
        ("G01", "level_group", "class", start, ""),
        ("E01", "outside_expert", "unit:D1", start, terms(today)[1][3]),
    ]
    for department in school.of_kind("department"):
        head, officer, *leaders = [t for t, where in school.teachers.items() if where == department.id][:4]
        rows.append((head, "department_head", department.id, start, ""))
        rows.append((officer, "department_quality_officer", department.id, start, ""))
        rows.append((leaders[0], "office_head", f"{department.id}-O", start, ""))
        programmes = [unit for unit in school.of_kind("programme") if unit.parent == department.id]
        rows += [(who, "programme_leader", unit.id, start, "") for who, unit in zip(leaders, programmes, strict=True)]
    rows += [(course.leader, "course_leader", course.id, start, "") for course in school.courses]
    return _csv("person,post,object,from,to", rows)


def accounts() -> list[Account]:
    """One account for each role; the teacher holds no post beside."""
    school = build()
    head, officer, office, programme = list(school.teachers)[:4]
    led = {each.leader for each in school.courses} | {each.teacher for each in school.homerooms}
    teacher = next(each.teacher for each in school.classes if each.teacher not in led)
    return [
        Account("quality", "Q01", "quality_office"),
        Account("leader", "L01", "school_leader"),
        Account("group", "G01", "level_group"),
        Account("head", head, "department_head"),
        Account("officer", officer, "department_quality_officer"),
        Account("office", office, "office_head"),
        Account("programme", programme, "programme_leader"),
        Account("course", school.courses[0].leader, "course_leader"),
        Account("homeroom", school.homerooms[0].teacher, "class_teacher"),
        Account("teacher", teacher, "teacher"),
        Account("staff", "A01", "staff"),
        Account("student", school.students[0].id, "student"),
        Account("parent", next(iter(school.parents)), "parent"),
        Account("expert", "E01", "outside_expert"),
    ]


# --- indicators ------------------------------------------------------------------------------------------------------

# code, name, metric, level, window, least denominator, evaluate, lines (severity, enter, clear). The lines are demo data:
# no standard is behind them.
_INDICATORS: Sequence[tuple[str, str, str, str, str, int, str, Sequence[tuple[str, float, float]]]] = (
    ("student-attendance-week", "学生周到课率", "attendance", "student", "week", 5, "on_update", [("yellow", 0.6, 0.75), ("red", 0.3, 0.75)]),
    ("class-attendance-day", "班级日到课率", "attendance", "class", "day", 30, "on_update", [("blue", 0.88, 0.9), ("orange", 0.75, 0.9), ("red", 0.6, 0.9)]),
    ("homeroom-attendance-week", "行政班周到课率", "attendance", "homeroom", "week", 60, "on_update", [("yellow", 0.85, 0.88)]),
    ("class-completion-week", "班级周作业完成率", "assignment_completion", "class", "week", 50, "on_update", [("yellow", 0.8, 0.85), ("orange", 0.7, 0.85)]),
    ("student-completion-term", "学生学期作业完成率", "assignment_completion", "student", "term", 10, "on_update", [("yellow", 0.6, 0.7), ("orange", 0.4, 0.7)]),
    ("class-score-week", "班级周课堂得分率", "classroom_score", "class", "week", 1000, "on_update", [("blue", 0.75, 0.78), ("yellow", 0.68, 0.78)]),
    ("student-assessment-term", "学生学期考核得分率", "assessment_score", "student", "term", 100, "on_update", [("yellow", 0.6, 0.65), ("red", 0.4, 0.65)]),
    ("class-interaction-week", "班级周互动响应率", "interaction_response", "class", "week", 40, "on_update", [("blue", 0.6, 0.65)]),
    ("course-effect-term", "课程学期学习效果", "learning_effect", "course", "term", 100, "on_update", [("yellow", 0.7, 0.75)]),
    ("lesson-attendance", "单次课到课率", "lesson_attendance", "lesson", "day", 10, "window_close", [("orange", 0.7, 0.75)]),
    ("teacher-attendance-week", "教师周到课率", "teacher_attendance", "teacher", "week", 3, "on_update", [("orange", 0.8, 0.9)]),
    ("class-steps-week", "班级周课堂环节完成率", "lesson_step_completion", "class", "week", 5, "on_update", [("blue", 0.75, 0.8)]),
    ("teacher-marking-week", "教师周作业批阅率", "assignment_marking", "teacher", "week", 40, "on_update", [("yellow", 0.7, 0.8)]),
    ("course-objective-term", "课程学期目标达成度", "objective_attainment", "course", "term", 100, "on_update", [("yellow", 0.65, 0.7)]),
    ("programme-evaluation-term", "专业学期评教得分率", "teaching_evaluation", "programme", "term", 500, "on_update", [("blue", 0.8, 0.82)]),
)  # fmt: skip


def indicators(today: date) -> list[dict[str, Any]]:
    """Indicators for the contract's metrics, as the bodies of `POST /api/v1/standards/indicators`."""
    return [
        {
            "code": code,
            "name": name,
            "metric": metric,
            "level": level,
            "window": window,
            "comparison": "below",
            "min_denominator": least,
            "evaluate": evaluate,
            "warning_lines": [{"severity": s, "enter": enter, "clear": clear} for s, enter, clear in lines],
            "effective_from": term_start(today).isoformat(),
        }
        for code, name, metric, level, window, least, evaluate, lines in _INDICATORS
    ]
