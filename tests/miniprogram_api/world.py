"""A campus with one repair in hand and one of everybody who might look at it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from campus import repairs
from core import clock
from core.db import run
from models.access import Actor
from models.people import Person
from models.places import DoorCode, Place
from models.repairs import AreaDuty, FaultType, Shift, WorkerTrade
from tests.kit import actor, make_fault, make_person, make_place

PHONE = "13812340101"


@dataclass
class World:
    """Who and what there is. `tokens` are filled in by whoever signs them in."""

    building: Place
    room: Place
    door: str
    fault: FaultType
    emergency: FaultType
    requester: Person
    other: Person
    assignee: Person
    worker: Person
    dispatcher: Person
    ticket: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def people(self) -> dict[str, Person]:
        """Every bound role of the matrix."""
        return {
            "requester": self.requester,
            "other": self.other,
            "assignee": self.assignee,
            "worker": self.worker,
            "dispatcher": self.dispatcher,
        }


def make_world() -> World:
    """Lin filed a repair for D12-402; Wang was given it; Chen, Li and Zhao had nothing to do with it."""
    building = make_place("D12", kind="building", name="12 号楼", label="东校区 12 号楼")
    room = make_place("D12-402", under=building, name="402", label="东校区 12 号楼 402")
    world = World(
        building=building,
        room=room,
        door=run(lambda s: s.query(DoorCode.code).filter_by(place_id=room.id).scalar()),
        fault=make_fault("aircon", "空调不制冷", trade="electric", hint="请先检查插座"),
        emergency=make_fault(
            "gas", "燃气泄漏", trade="gas", priority="emergency", emergency_phone="110", emergency_text="请离开"
        ),
        requester=make_person("林小雨", campus_no="2023010101", phone=PHONE),
        other=make_person("陈思远", campus_no="2023010102"),
        assignee=make_person("王建国", campus_no="G2001", kind="worker", roles=("worker",)),
        worker=make_person("李秀兰", campus_no="G2002", kind="worker", roles=("worker",)),
        dispatcher=make_person("赵敏", campus_no="T1001", kind="staff", roles=("dispatcher",)),
    )
    run(lambda s: s.add(AreaDuty(place_id=building.id, trade="electric", person_id=world.assignee.id)))
    now, day = clock.now(), timedelta(days=1)
    on_duty = (world.assignee, world.worker)
    run(lambda s: s.add_all([Shift(person_id=one.id, starts_at=now - day, ends_at=now + day) for one in on_duty]))
    run(lambda s: s.add_all([WorkerTrade(person_id=one.id, trade="electric") for one in on_duty]))
    world.ticket = file(world, actor(world.requester))
    return world


def file(world: World, by: Actor, **facts: Any) -> str:
    """A repair filed by that person and given to the one whose area it is; its number."""
    now = clock.now()
    wanted = {"place_code": "D12-402", "fault_code": "aircon", "text": "空调不制冷", "contact_phone": PHONE} | facts
    ticket = run(lambda s: repairs.file_repair(s, by=by, now=now, **wanted))
    run(lambda s: repairs.dispatch(s, ticket.id, now=now))
    return ticket.no
