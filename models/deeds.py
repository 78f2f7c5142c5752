"""The Chinese title of every deed that can be permitted: a refusal names what is missing in these words. FEATURES P6."""

TITLES: dict[str, str] = {
    "*": "全部操作",
    "console.sign_in": "登录管理控制台",
    "me.see": "查看本人信息",
    # repairs
    "repair.file": "报修",
    "repair.see_own": "查看自己的报修",
    "repair.cancel": "撤销自己的报修",
    "repair.accept": "验收自己的报修",
    "repair.refuse": "验收不通过",
    "repair.rate": "评价自己的报修",
    "repair.work": "接单与维修",
    "repair.see_assigned": "查看派给自己的维修单",
    "repair.see": "查看维修单",
    "repair.assign": "派工",
    "repair.file_for": "代人报修",
    "repair.reject": "驳回报修",
    "repair.cancel_any": "撤销他人的报修",
    "fault.see": "查看故障类型",
    "fault.edit": "编辑故障类型",
    "duty.edit": "编辑包干区与班次",
    # people
    "person.see": "查看人员",
    "person.edit": "编辑人员",
    "person.import": "导入导出人员",
    "person.reveal": "查看完整手机号",
    "person.issue_code": "发放绑定码",
    "department.edit": "编辑部门",
    "role.see": "查看角色与权限",
    "role.edit": "编辑角色权限",
    "role.grant": "授予与收回角色",
    "operator.edit": "管理控制台账号",
    # places
    "place.see": "查看地点",
    "place.edit": "编辑地点",
    "place.import": "导入导出地点",
    "door.print": "打印门牌码",
    # the office
    "calendar.see": "查看工作日历",
    "calendar.edit": "编辑工作日历",
    "case.see": "查看待处理事项",
    "case.settle": "处理待处理事项",
    "notice.see": "查看发送记录",
    "notice.configure": "配置通知模板",
    "setting.see": "查看参数",
    "setting.edit": "修改参数",
    "audit.see": "查看审计记录",
    "file.see": "查看文件",
}


def title_of(deed: str) -> str:
    """The deed in the words of the campus; its name when it has none yet."""
    return TITLES.get(deed, deed)
