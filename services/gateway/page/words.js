// Every word of the page, in two languages; `t` picks one.

const WORDS = {
  skip: ["跳到正文", "Skip to content"],
  product: ["诊改", "Zhengai"],
  about: ["职业院校内部质量保证：从课堂数据到预警、整改与诊断。", "Internal quality assurance: from campus events to warnings and improvement."],
  signIn: ["登录", "Sign in"],
  signOut: ["退出", "Sign out"],
  username: ["用户名", "Username"],
  password: ["密码", "Password"],
  demoAccounts: ["演示账号", "Demo accounts"],
  demoAbout: ["演示学校完全虚构。只有在本机打开此页时才会显示。", "The demo school is invented. Offered on this machine only."],
  wrong: ["用户名或密码不正确。", "That username and password do not match."],
  offline: ["暂时连不上服务器，正在重试。", "The server cannot be reached; trying again."],
  failed: ["没有成功：", "That did not work: "],
  refused: ["此账号无权查看：", "This account may not see: "],
  live: ["实时", "Live"],
  lost: ["重新连接…", "Reconnecting…"],
  overview: ["总览", "Overview"],
  warnings: ["预警", "Warnings"],
  tasks: ["整改任务", "Improvement tasks"],
  trends: ["指标走势", "Trends"],
  timeline: ["动态", "What happened"],
  uncleared: ["未解除", "Uncleared"],
  unclearedWarnings: ["未解除预警", "Uncleared warnings"],
  openTasks: ["未关闭的整改", "Open improvements"],
  overdue: ["逾期", "Overdue"],
  overdueTasks: ["逾期未提交", "Overdue"],
  allInTime: ["没有逾期", "All in time"],
  byUnit: ["按部门", "By department"],
  byLevel: ["按层级", "By level"],
  none: ["暂无", "None"],
  all: ["全部", "All"],
  open: ["未关闭", "Open"],
  mine: ["我的", "Mine"],
  severity: ["级别", "Severity"],
  subject: ["对象 / 指标", "Subject / indicator"],
  value: ["现值与预警线", "Value and line"],
  window: ["窗口", "Window"],
  status: ["状态 / 时间", "State / raised"],
  actions: ["操作", "Actions"],
  line: ["线", "line"],
  quiet: ["没有未解除的预警。", "No uncleared warnings."],
  noWarnings: ["还没有预警。", "No warnings yet."],
  noTasks: ["这里没有任务。", "No tasks here."],
  noTrends: ["还没有数据。", "No data yet."],
  nothingYet: ["还没有发生什么。", "Nothing has happened yet."],
  shown: ["显示最近 {n} 条", "The latest {n} are shown"],
  acknowledge: ["知悉", "Acknowledge"],
  start: ["开始", "Start"],
  submit: ["提交", "Submit"],
  verify: ["验收", "Verify"],
  return: ["退回", "Return"],
  cancel: ["取消", "Cancel"],
  owner: ["责任人", "Owner"],
  vacant: ["岗位空缺", "vacant"],
  due: ["期限", "Due"],
  measures: ["措施", "Measures"],
  ownMeasure: ["自拟措施（可不填）", "A measure of your own (optional)"],
  noMeasure: ["请至少勾选一项措施，或自拟一项。", "Tick at least one measure, or write one of your own."],
  goal: ["目标", "Goal"],
  deadline: ["完成日期", "Deadline"],
  done: ["做了什么", "What was done"],
  evidence: ["佐证（每行一条；橙、红必填）", "Evidence (one a line; required for orange and red)"],
  reason: ["理由", "Reason"],
  reasonUncleared: ["预警尚未解除，请说明为何可以验收", "The warning is not cleared: say why it is good all the same"],
  days: ["近三周，每日", "three weeks, by day"],
  now: ["最新", "latest"],
};

const NAMES = {
  severity: { blue: ["蓝", "Blue"], yellow: ["黄", "Yellow"], orange: ["橙", "Orange"], red: ["红", "Red"] },
  source: {
    self_check: ["自查", "Self-check"], mid_term_check: ["中期检查", "Mid-term check"], spot_check: ["抽查", "Spot check"],
    patrol: ["巡查", "Patrol"], complaint: ["投诉", "Complaint"], incident: ["质量事故", "Incident"], diagnosis_item: ["诊断项目", "Diagnosis"],
    review_element: ["复核要素", "Review"], collection: ["年度收集", "Collection"],
  },
  warning: {
    open: ["待处理", "Open"], acknowledged: ["已知悉", "Acknowledged"], improving: ["整改中", "Improving"],
    cleared: ["已解除", "Cleared"], dismissed: ["不成立", "Dismissed"], withdrawn: ["已撤回", "Withdrawn"], stale: ["数据中断", "Stale"],
  },
  task: {
    proposed: ["待开始", "Proposed"], running: ["进行中", "Running"], submitted: ["待验收", "Submitted"],
    returned: ["已退回", "Returned"], verified: ["已验收", "Verified"], closed: ["已关闭", "Closed"],
  },
  level: {
    student: ["学生", "Student"], teacher: ["教师", "Teacher"], class: ["教学班", "Class"], homeroom: ["行政班", "Homeroom"],
    course: ["课程", "Course"], programme: ["专业", "Programme"], department: ["部门", "Department"], lesson: ["单次课", "Lesson"],
    school: ["全校", "School"],
  },
  window: { day: ["日", "day"], week: ["周", "week"], month: ["月", "month"], term: ["学期", "term"], year: ["学年", "year"] },
  role: {
    school_leader: ["校领导", "School leader"], quality_office: ["质量办", "Quality office"], level_group: ["推进组", "Level group"],
    department_head: ["部门负责人", "Department head"], department_quality_officer: ["部门质量专员", "Quality officer"],
    office_head: ["教研室主任", "Office head"], programme_leader: ["专业负责人", "Programme leader"],
    course_leader: ["课程负责人", "Course leader"], class_teacher: ["班主任", "Class teacher"], teacher: ["教师", "Teacher"],
    staff: ["教职工", "Staff"], student: ["学生", "Student"], parent: ["家长", "Parent"], outside_expert: ["校外专家", "Outside expert"],
  },
  what: {
    raised: ["预警", "Warning raised"], escalated: ["升级", "Warning escalated"], cleared: ["解除", "Warning cleared"],
    acknowledged: ["知悉", "Acknowledged"], improving: ["整改中", "Improving"], dismissed: ["不成立", "Dismissed"],
    opened: ["任务", "Task opened"], started: ["开始", "Task started"], submitted: ["提交", "Task submitted"],
    returned: ["退回", "Task returned"], verified: ["验收", "Task verified"], closed: ["关闭", "Task closed"],
    due_changed: ["加急", "Task more urgent"], overdue: ["逾期", "Overdue"], plan_overdue: ["方案逾期", "Plan overdue"],
    progressed: ["进展", "Progress"], effect: ["成效", "Effect"], assigned: ["下达", "Task given"], signed: ["签署", "Signed"],
  },
};

let language = localStorage.getItem("zhengai.language") === "en" ? "en" : "zh";

const pick = (pair, fallback) => (pair ? pair[language === "en" ? 1 : 0] : fallback);

/** The word of this key, with `{name}` filled in. */
export function t(key, values = {}) {
  return pick(WORDS[key], key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** The name of a code, such as name("severity", "red"). */
export const name = (kind, code) => pick(NAMES[kind][code], code);

export const isEnglish = () => language === "en";

export const locale = () => (language === "en" ? "en-GB" : "zh-CN");

/** Change the language, and say so in every element that names its word. */
export function speak(wanted = language) {
  language = wanted;
  localStorage.setItem("zhengai.language", language);
  document.documentElement.lang = language === "en" ? "en" : "zh-CN";
  document.title = t("product");
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = t(element.dataset.word);
}
