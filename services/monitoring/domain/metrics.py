"""The metrics that every school starts with: Hubei's article 14 and the usual companions."""

from libs.common.events.monitoring import MetricDefined

_NAMES = {
    ("student", "class"): {
        "attendance": "到课率",
        "assignment_completion": "作业完成率",
        "classroom_score": "课堂得分率",
        "assessment_score": "考核得分率",
        "interaction_response": "互动响应率",
        "learning_effect": "学习效果",
    },
    ("class", "lesson"): {"lesson_attendance": "课堂到课率"},
    ("class", "teacher"): {
        "teacher_attendance": "教师到课率",
        "lesson_step_completion": "课堂环节完成率",
        "assignment_marking": "作业批阅率",
        "objective_attainment": "教学目标达成度",
        "teaching_evaluation": "评教得分率",
    },
}

STARTING = tuple(
    MetricDefined(code=code, name=name, grain=list(grain), kind="ratio", unit="%", direction="higher")
    for grain, names in _NAMES.items()
    for code, name in names.items()
)
