"""Six weeks of tickets in every state, so that lists, charts and maps show something on the first day. FEATURES R2, R11."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from campus.demo.crowd import Crowd
from campus.demo.faults import TREE
from campus.demo.grounds import Building, Grounds
from campus.demo.rows import Rows
from core import clock, ids
from models.repairs import ContentState, DispatchWay, Rating, RepairState, Ticket, TicketStep

DAYS = 42
WAYS = (("scan", 40), ("mini", 28), ("desk", 16), ("text", 6), ("menu", 4), ("wecom", 3), ("h5", 3))
# What became of a ticket, by its age: (at most days old, ((state, weight), …)).
STATES = (
    (0.3, (("filed", 14), ("assigned", 34), ("working", 34), ("done", 12), ("cancelled", 4), ("rejected", 2))),
    (1.5, (("filed", 2), ("assigned", 10), ("working", 22), ("on_hold", 4), ("awaiting_approval", 2), ("done", 26), ("closed", 30), ("cancelled", 4))),
    (4.0, (("working", 4), ("on_hold", 3), ("done", 16), ("closed", 68), ("cancelled", 4), ("rejected", 3), ("unfixable", 2))),
    (99.0, (("closed", 90), ("cancelled", 4), ("rejected", 3), ("unfixable", 3))),
)  # fmt: skip
TEXTS = (
    "从昨天晚上开始的，麻烦尽快看一下。", "已经影响正常使用了。", "早上发现的，请师傅有空来看看。", "之前修过一次，又坏了。", "比较急，谢谢师傅！",
    "下午三点以后宿舍有人。", "已经试过简单处理，没有用。", "同寝室都反映这个问题。", "",
)  # fmt: skip
NOTES = (
    "已更换配件，试用正常。",
    "已疏通，使用正常。",
    "紧固后恢复正常。",
    "已更换，请注意使用。",
    "线路已修复并测试。",
    "清洗后恢复正常。",
)
PRAISE = ("师傅来得很快，谢谢！", "修得很好。", "态度很好，还顺便检查了别的。", "等得有点久，不过修好了。", "", "", "")


def tickets(
    rows: Rows, dice: Random, grounds: Grounds, crowd: Crowd, faults: dict[str, int], *, count: int, now: datetime
) -> None:
    """So many past tickets with their steps and ratings are waiting in `rows`, oldest first."""
    room_faults = [
        (faults[leaf], leaf, called, trade, weight)
        for _, _, below in TREE
        for leaf, called, trade, _, _, where, weight in below
        if where != "public"
    ]
    public = [
        (faults[leaf], leaf, called, trade, weight)
        for _, _, below in TREE
        for leaf, called, trade, _, _, where, weight in below
        if where != "room"
    ]
    others = [building for building in grounds.buildings if not building.dorm]
    living = [student for student in crowd.students if student in crowd.homes]
    # Rare states must show too: each has one among the newest tickets.
    certain = {count - 3 * (index + 2): state for index, state in enumerate(RepairState)}
    for number, filed_at in enumerate(sorted(_moments(dice, count, now))):
        at_home = dice.random() < 0.82
        requester = dice.choice(living)
        room, building = crowd.homes[requester]
        if not at_home:
            building = dice.choice(others)
            room = dice.choice(building.rooms)[0]
        kinds = room_faults if at_home else public
        fault = dice.choices(kinds, [kind[4] for kind in kinds])[0]
        _one(rows, dice, crowd, fault, requester, room, building, filed_at, now, certain.get(number))


def _moments(dice: Random, count: int, now: datetime) -> list[datetime]:
    """When people report: more by day and in the evening, and a dozen within the last hours."""
    today = clock.at(clock.campus_day(now), "00:00")
    hours = [1, 0, 0, 0, 0, 0, 1, 4, 7, 8, 8, 6, 7, 5, 6, 6, 6, 7, 9, 10, 11, 10, 8, 4]
    moments: list[datetime] = []
    while len(moments) < count:
        fresh = len(moments) < count // 60
        day = 0 if fresh else dice.randrange(DAYS)
        moment = (
            today
            - timedelta(days=day)
            + timedelta(hours=dice.choices(range(24), hours)[0], minutes=dice.randrange(60), seconds=dice.randrange(60))
        )
        if moment >= now - timedelta(minutes=2):  # later today has not happened yet
            moment = now - timedelta(minutes=3 + dice.randrange(60 * 8))
        moments.append(moment)
    return moments


def _one(
    rows: Rows, dice: Random, crowd: Crowd, fault: tuple[int, str, str, str, int], requester: int, room: int,
    building: Building, filed_at: datetime, now: datetime,
    certain: RepairState | None = None,
) -> None:  # fmt: skip
    fault_id, _, called, trade, _ = fault
    age = (now - filed_at) / timedelta(days=1)
    choices: Sequence[tuple[str, int]] = next(states for most, states in STATES if age <= most)
    drawn = RepairState(dice.choices([name for name, _ in choices], [weight for _, weight in choices])[0])
    state = certain or drawn
    way = dice.choices([name for name, _ in WAYS], [weight for _, weight in WAYS])[0]
    desk = crowd.leads.get("zhao") if way == "desk" else None
    worker = crowd.duty.get((building.id, trade)) or dice.choice(crowd.by_trade[trade])
    by_area = (building.id, trade) in crowd.duty
    card = crowd.cards[requester]
    steps: list[dict[str, Any]] = []
    moments: dict[str, datetime] = {}

    def step(
        action: str, to: RepairState, minutes: float, who: int | None, way_in: str, note: str | None = None
    ) -> None:
        before = steps[-1]["to_state"] if steps else None
        at = steps[-1]["at"] + timedelta(minutes=minutes, seconds=dice.randrange(60)) if steps else filed_at
        at = min(at, now - timedelta(seconds=30))  # nothing of the past lies in the future
        steps.append(
            {
                "at": at,
                "action": action,
                "from_state": before,
                "to_state": to.value,
                "person_id": who,
                "way": way_in,
                "note": note,
                "facts": None,
            }
        )
        moments[action] = at

    step("file", RepairState.FILED, 0, desk or requester, way)
    path = PATHS[state]
    if "assign" in path:
        step("assign", RepairState.ASSIGNED, dice.uniform(0, 3), None, "system")
    if "take" in path:
        step("take", RepairState.WORKING, dice.expovariate(1 / 25) + 1, worker, "wecom")
    if "arrive" in path:
        step("arrive", RepairState.WORKING, dice.uniform(10, 90), worker, "wecom")
    note = dice.choice(NOTES)
    if "finish" in path:
        step("finish", RepairState.DONE, dice.uniform(10, 80), worker, "wecom", note)
    if "cannot" in path:
        step("cannot", RepairState.UNFIXABLE, dice.uniform(10, 60), worker, "wecom", "配件已停产，建议整体更换。")
    if "accept" in path:
        step("accept", RepairState.CLOSED, dice.uniform(5, 60 * 30), requester, "mini")
    if "cancel" in path:
        step("cancel", RepairState.CANCELLED, dice.uniform(2, 40), requester, "mini", "自己修好了")
    if "reject" in path:
        step(
            "reject",
            RepairState.REJECTED,
            dice.uniform(3, 60),
            crowd.leads.get("zhao"),
            "console",
            "不属于维修范围，请联系楼管",
        )
    worked = "assign" in path
    why = ("区域包干：" if by_area else "在岗负荷最少：") + crowd.cards[worker]["name"]
    unfixable = state is RepairState.UNFIXABLE
    last = steps[-1]["at"]
    ticket = rows.add(
        Ticket, no=f"WX{clock.to_campus(filed_at):%y%m%d}{''.join(dice.choices(ids.LETTERS, k=10))}", place_id=room,
        fault_type_id=fault_id, text=(called + "。" + dice.choice(TEXTS)), quantity=1,
        severity=dice.choices(("minor", "normal", "serious"), (2, 10, 1))[0], urgent=False, state=state, way=way,
        requester_id=requester, contact_name=card["name"], contact_phone_sealed=card["phone_sealed"],
        contact_phone_masked=card["phone_masked"], window_from=None, window_until=None, nobody_home_ok=dice.random() < 0.5,
        escort=False, entry_note=None, received_at=filed_at - timedelta(minutes=dice.randrange(6) if desk else 0),
        desk_operator_id=desk, worker_id=worker if worked else None,
        dispatch_way=(DispatchWay.BY_AREA if by_area else DispatchWay.LEAST_LOAD) if worked else None,
        why=why if worked else None, content=ContentState.PASSED, respond_by=filed_at + timedelta(minutes=120),
        finish_by=filed_at + timedelta(minutes=1440), filed_at=filed_at, assigned_at=moments.get("assign"),
        taken_at=moments.get("take"), arrived_at=moments.get("arrive"), done_at=moments.get("finish"),
        closed_at=last if state in ENDED else None,
        result="unfixable" if unfixable else "fixed" if "finish" in path else None,
        result_note="配件已停产，建议整体更换。" if unfixable else note if "finish" in path else None,
        proposal="列入暑期更新改造计划" if unfixable else None, idem_key=None,
    )  # fmt: skip
    for one in steps:
        rows.add(TicketStep, ticket_id=ticket, **one)
    if state is RepairState.CLOSED and dice.random() < 0.6:
        mood = dice.choices((5, 4, 3, 2, 1), (60, 24, 9, 4, 3))[0]
        marks = {
            name: max(1, min(5, mood + dice.choice((-1, 0, 0, 0, 1))))
            for name in ("quality", "attitude", "speed", "result")
        }
        rows.add(
            Rating, ticket_id=ticket, text=dice.choice(PRAISE) if mood > 3 else "还没完全修好。", rated_at=last, **marks
        )


_TO_WORK = ("assign", "take")
PATHS: dict[RepairState, tuple[str, ...]] = {
    RepairState.FILED: (),
    RepairState.AWAITING_APPROVAL: (),
    RepairState.ASSIGNED: ("assign",),
    RepairState.WORKING: _TO_WORK,
    RepairState.ON_HOLD: (*_TO_WORK, "arrive"),
    RepairState.DONE: (*_TO_WORK, "arrive", "finish"),
    RepairState.CLOSED: (*_TO_WORK, "arrive", "finish", "accept"),
    RepairState.UNFIXABLE: (*_TO_WORK, "arrive", "cannot"),
    RepairState.CANCELLED: ("cancel",),
    RepairState.REJECTED: ("reject",),
}
ENDED = frozenset({RepairState.CLOSED, RepairState.UNFIXABLE, RepairState.CANCELLED, RepairState.REJECTED})
