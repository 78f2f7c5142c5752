"""故障类型: the tree that everybody reports from; edited at any time, retired and brought back. FEATURES R4, R8."""

from typing import Any

from flask import render_template, request, url_for
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length

from campus.repairs import faults, words
from campus.repairs.faults import FaultForm
from console.forms import Choice, Form, Whole, strip
from console.frame import bp, go, me
from console.shown import KINDS
from core import clock
from core.db import found, reading, run
from models.access import require
from models.repairs import DispatchWay, FaultType

TRADES = {title: key for key, title in reversed(words.TRADES.items())}  # one key per title, the first
PRIORITIES = {"normal": "普通", "emergency": "紧急（先显示求助电话并呼叫值班）"}


class FaultTypeForm(Form):
    name = StringField("名称", [DataRequired("请填写名称"), Length(max=60)])
    parent = Choice("上级", empty="（顶层）", validate_choice=False)
    trade = StringField("工种", [Length(max=60)], description="决定派给谁；可选已有工种或自己填写")
    priority = Choice("级别", PRIORITIES)
    dispatch_way = Choice("派工方式", KINDS[DispatchWay])
    standard_minutes = Whole("标准工时（分钟）", [InputRequired("请填写整数")])
    respond_minutes = Whole("响应时限（分钟）", [InputRequired("请填写整数")])
    finish_minutes = Whole("完工时限（分钟）", [InputRequired("请填写整数")])
    rank = Whole("排序", [InputRequired("请填写整数")], description="小的在前")
    hint = TextAreaField("自助提示", [Length(max=1000)], description="报修前先给报修人看，例如：先检查空调遥控器电池")
    emergency_phone = StringField("求助电话", [Length(max=20)], description="紧急类型必填")
    emergency_text = TextAreaField("紧急提示", [Length(max=1000)])

    def as_filled(self) -> FaultForm:
        self.filled()
        values = {name: field.data for name, field in self._fields.items() if name != "csrf_token"}
        return FaultForm(**{**values, "parent": self.parent.value, "trade": strip(self.trade.data) or None})


@bp.get("/faults")
def get_faults() -> Any:
    """The tree, with what is retired when asked for."""
    with reading() as s:
        require(s, me(), "fault.see")
        return render_template(
            "console/faults/tree.html",
            tree=faults.tree(s, with_retired=bool(request.args.get("retired"))),
            title=words.trade_title,
        )


@bp.get("/faults/new")
def get_new_fault() -> Any:
    with reading() as s:
        require(s, me(), "fault.edit")
        form = FaultTypeForm(
            priority="normal", dispatch_way="by_area", standard_minutes=60, respond_minutes=120, finish_minutes=1440,
            rank=100, parent=request.args.get("parent", ""),
        )  # fmt: skip
        form.parent.offer(_parents(s))
    return render_template("console/faults/edit.html", form=form, fault=None, trades=TRADES)


@bp.post("/faults")
def post_fault() -> Any:
    by, now, form = me(), clock.now(), FaultTypeForm().as_filled()
    row = run(lambda s: faults.add_fault(s, code=request.form.get("code", ""), form=form, by=by, now=now))
    return go("get_faults", f"“{row.name}”已添加，立即可以报修")


@bp.get("/faults/<code>")
def get_fault(code: str) -> Any:
    with reading() as s:
        require(s, me(), "fault.see")
        row = found(s, FaultType, code=code)
        parent = s.get(FaultType, row.parent_id) if row.parent_id else None
        form = FaultTypeForm(obj=row)
        form.parent.offer(_parents(s))
        form.parent.data = parent.code if parent else ""
        form.dispatch_way.data = str(row.dispatch_way)
    return render_template("console/faults/edit.html", form=form, fault=row, trades=TRADES)


@bp.post("/faults/<code>")
def post_fault_edit(code: str) -> Any:
    by, now, form = me(), clock.now(), FaultTypeForm().as_filled()
    row = run(lambda s: faults.edit_fault(s, code=code, form=form, by=by, now=now))
    return go("get_faults", f"“{row.name}”已保存；以前的工单期限不变")


@bp.post("/faults/<code>/retire")
def post_fault_retire(code: str) -> Any:
    """Nobody can report it from now on; tickets keep it."""
    by, now = me(), clock.now()
    row = run(lambda s: faults.retire_fault(s, code=code, by=by, now=now))
    return go("get_faults", f"“{row.name}”已停用", undo=url_for("console.post_fault_restore", code=code))


@bp.post("/faults/<code>/restore")
def post_fault_restore(code: str) -> Any:
    by, now = me(), clock.now()
    row = run(lambda s: faults.restore_fault(s, code=code, by=by, now=now))
    return go("get_faults", f"“{row.name}”已恢复")


def _parents(s: Any) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []

    def walk(nodes: Any, depth: int) -> None:
        for node in nodes:
            pairs.append((node.fault.code, "　" * depth + node.fault.name))
            walk(node.children, depth + 1)

    walk(faults.tree(s), 0)
    return pairs
