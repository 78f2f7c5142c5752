"""工单: the desk's list, one ticket, sending somebody by hand, and a caller's report. FEATURES R1, R8, R10, R11, P8."""

from datetime import date
from typing import Any

from flask import Response, flash, render_template, request
from wtforms import BooleanField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange

from campus import office, places, repairs
from campus.people import find_people
from campus.repairs import contact, faults, words
from campus.repairs.search import Filters
from console.forms import Choice, Form, Whole, campus_moment, strip, whole_number
from console.frame import bp, go, may, me
from console.limits import REVEAL, limiter
from console.qr import qr_data
from core import clock, ids
from core.db import found, reading, run
from core.errors import CampusError, Invalid
from core.house import house
from models.access import missing
from models.people import Person
from models.repairs import Ticket

PAGE = 40
BATCH = 50


class TicketForm(Form):
    place = StringField("地点", [DataRequired("请选择地点")])
    fault = StringField("故障", [DataRequired("请选择故障类型")])
    text = TextAreaField("情况", [Length(max=words.LONGEST_TEXT)])
    campus_no = StringField("报修人", [Length(max=64)])
    contact_name = StringField("联系人", [Length(max=60)])
    contact_phone = StringField("电话", [Length(max=20)])
    received_at = StringField("接报时间")
    quantity = Whole("数量", [InputRequired("请填写数量"), NumberRange(1, 999, "数量应为 1 到 999")])
    severity = Choice("程度", words.SEVERITIES)
    window_from = StringField("希望上门 从")
    window_until = StringField("到")
    nobody_home_ok = BooleanField("无人在家也可进入")
    escort = BooleanField("需要楼管陪同")
    entry = StringField("进门说明", [Length(max=180)])
    again = BooleanField("仍要另报一单")
    idem_key = StringField(validators=[Length(max=64)])


@bp.get("/tickets")
def get_tickets() -> Any:
    """The tickets the operator may see: overdue ones first, then the newest."""
    args, by, now = request.args, me(), clock.now()
    state = args.get("state") or "open"
    filters = Filters(
        state=None if state == "all" else state,
        building=args.get("place") or None,
        fault=args.get("fault") or None,
        worker=whole_number(args.get("worker"), "worker"),
        way=args.get("way") or None,
        since=day_of(args.get("since")),
        until=day_of(args.get("until")),
        text=args.get("q") or None,
    )
    with reading() as s:
        page = repairs.search_tickets(s, by=by, filters=filters, cursor=args.get("cursor"), limit=PAGE, now=now)
        return render_template(
            "console/tickets/list.html",
            page=page,
            counts=office.desk_counts(s, by=by, now=now),
            state=state,
            first="cursor" not in args,
            faults=[(fault.code, fault.name) for fault in faults.leaves(s)],
            buildings=office.buildings(s),
            workers=office.workers(s),
        )


@bp.get("/tickets/<no>")
def get_ticket(no: str) -> Any:
    """One ticket with its timeline, photos and what may be done about it."""
    with reading() as s:
        view = repairs.ticket_view(s, no=no, by=me(), now=clock.now())
        requester = s.get(Person, found(s, Ticket, no=no).requester_id or 0)
    return render_template("console/tickets/ticket.html", t=view, requester=requester, masked=_masked)


@bp.get("/tickets/<no>/workers")
def get_workers(no: str) -> Any:
    """Who could be sent, with what each has in hand and whether he is on shift (R8)."""
    with reading() as s:
        view = repairs.ticket_view(s, no=no, by=me(), now=clock.now())
        able = repairs.workers_for(s, ticket=found(s, Ticket, no=no), now=clock.now())
        trades = office.trades(s, [load.person_id for load, _ in able])
        return render_template(
            "console/tickets/workers.html", t=view, able=able, trades=trades, title=words.trade_title
        )


@bp.get("/tickets/<no>/print")
def get_ticket_print(no: str) -> Any:
    """The work order on paper, with a code that opens the ticket."""
    with reading() as s:
        view = repairs.ticket_view(s, no=no, by=me(), now=clock.now())
    link = f"{house().config.server.base_url}/m/#/pages/repair/ticket?no={view.no}"
    return render_template("console/tickets/print.html", t=view, masked=_masked, qr=qr_data(link))


@bp.get("/files/<no>")
def get_file(no: str) -> Response:
    """A photo of a ticket, for whoever may see the ticket."""
    by = me()
    with reading() as s:
        file = repairs.photo(s, file_no=no, by=by)
    answer = Response(house().files.get(file.no), mimetype=file.mime)
    answer.headers["Content-Disposition"] = "inline"
    return answer


# ---- what the desk does ---------------------------------------------------------------------------------------------


@bp.post("/tickets/<no>/assign")
def post_assign(no: str) -> Any:
    """That worker has the ticket (R8)."""
    by, now, worker_id = me(), clock.now(), whole_number(request.form.get("worker"), "worker")
    if worker_id is None:
        raise Invalid(fields={"worker": "请选择维修工"})
    reason = strip(request.form.get("reason")) or None
    run(lambda s: repairs.assign(s, no=no, worker_id=worker_id, reason=reason, by=by, now=now))
    return go("get_ticket", f"{no} 已派工", no=no)


@bp.post("/tickets/assign")
def post_assign_many() -> Any:
    """Each chosen ticket is given to that worker, or says why not; one refusal does not undo the others."""
    by, now, worker_id = me(), clock.now(), whole_number(request.form.get("worker"), "worker")
    numbers = list(dict.fromkeys(request.form.getlist("no")))[:BATCH]
    reason = strip(request.form.get("reason")) or None
    if worker_id is None or not numbers:
        raise Invalid("请先勾选工单并选择维修工", fields={"worker": "请选择维修工"})
    done, refused = 0, []
    for no in numbers:
        try:
            run(lambda s, no=no: repairs.assign(s, no=no, worker_id=worker_id, reason=reason, by=by, now=now))
            done += 1
        except CampusError as why:  # each ticket has its own answer, and the page shows all of them
            refused.append(f"{no}：{why.detail}")
    if refused and not done:
        raise Invalid("都没有派成。" + ";".join(refused[:5]))
    if refused:
        flash((f"{len(refused)} 单没有派成：" + ";".join(refused[:5]), ""), "warn")  # type: ignore[arg-type]  # JSON pair
    return go("get_tickets", f"{done} 单已派工", state=request.form.get("state") or "open")


@bp.post("/tickets/<no>/<any(reject, cancel, close):deed>")
def post_end(no: str, deed: str) -> Any:
    """驳回, 撤销 or 关闭, with the reason that is told and kept (R10, R11)."""
    by, now, reason = me(), clock.now(), request.form.get("reason", "")
    rule = {"reject": repairs.reject, "cancel": repairs.cancel_any, "close": repairs.close}[deed]
    run(lambda s: rule(s, no=no, reason=reason, by=by, now=now))
    return go("get_ticket", f"{no} 已{words.ACTIONS[deed]}", no=no)


@bp.post("/tickets/<no>/contact")
@limiter.limit(REVEAL)
def post_reveal_contact(no: str) -> Any:
    """The contact's whole number, for a reason that stays in the audit (P8)."""
    by, now, reason = me(), clock.now(), request.form.get("reason", "")
    phone = run(lambda s: contact.reveal_contact(s, no=no, reason=reason, by=by, now=now))
    return render_template("console/parts/revealed.html", phone=phone)


# ---- a caller's report ----------------------------------------------------------------------------------------------


@bp.get("/tickets/new")
def get_new_ticket() -> Any:
    """The desk's form: a few letters for the place, a few for the fault, Ctrl+Enter."""
    form = TicketForm(
        quantity=1, severity="normal", received_at=f"{clock.to_campus(clock.now()):%Y-%m-%dT%H:%M}", idem_key=ids.letters(20)
    )  # fmt: skip
    with reading() as s:
        place = places.place_by_code(s, request.args["place"]) if request.args.get("place") else None
        if not may("repair.file_for"):
            raise missing("repair.file_for")
    return render_template("console/tickets/new.html", form=form, place=place)


@bp.post("/tickets")
def post_ticket() -> Any:
    """The caller's repair is filed; the number is told at once (R1)."""
    form = TicketForm().filled()
    by, now = me(), clock.now()
    window = (
        campus_moment(form.window_from.data, "window_from"),
        campus_moment(form.window_until.data, "window_until"),
    )
    received_at = campus_moment(form.received_at.data, "received_at")
    ticket = run(
        lambda s: repairs.file_for(
            s,
            place_code=form.place.data,
            fault_code=form.fault.data,
            text=form.text.data,
            campus_no=strip(form.campus_no.data) or None,
            contact_name=strip(form.contact_name.data) or None,
            contact_phone=strip(form.contact_phone.data) or None,
            received_at=received_at,
            quantity=form.quantity.data,
            severity=form.severity.data,
            window=window if any(window) else None,
            nobody_home_ok=form.nobody_home_ok.data,
            escort=form.escort.data,
            entry=strip(form.entry.data) or None,
            idem_key=strip(form.idem_key.data) or None,
            confirm_duplicate=form.again.data,
            by=by,
            now=now,
        )
    )
    return go("get_ticket", f"已登记 {ticket.no}，请告知报修人", no=ticket.no)


@bp.get("/tickets/hint")
def get_hint() -> Any:
    """Self-help, danger and the same report already open, for the place and fault just chosen (R4, R5)."""
    place, fault = request.args.get("place"), request.args.get("fault")
    if not place or not fault or not may("repair.file_for"):
        return ""
    with reading() as s:
        return render_template(
            "console/tickets/hint.html", hint=repairs.suggest(s, place, fault, now=clock.now()), now=clock.now()
        )


@bp.get("/tickets/callers")
def get_callers() -> Any:
    """People for what was typed, with the room each lives in, so that the place fills itself."""
    q = strip(request.args.get("q"))
    if not q:
        return []
    with reading() as s:
        found_people = find_people(s, by=me(), q=q, status="active", limit=8)
        homes = office.homes(s, [person.id for person in found_people])
    return [
        {
            "value": person.campus_no,
            "label": person.name,
            "hint": " · ".join(filter(None, (person.campus_no, homes[person.id].label if person.id in homes else ""))),
            "fill": {"place": {"value": homes[person.id].code, "label": homes[person.id].label}}
            if person.id in homes
            else {},
        }
        for person in found_people
    ]


def _masked(phone: str | None) -> str | None:
    """A number as the page shows it until somebody asks for the whole one."""
    return phone if phone is None or "*" in phone else words.masked(phone)


def day_of(text: str | None) -> date | None:
    """The campus day that was chosen. Raises Invalid."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid(fields={"since": "日期格式有误"}) from None
