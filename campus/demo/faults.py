"""What can break on a campus: the fault tree a school starts with. FEATURES R4.

(code, name, trade, standard minutes, hint, where: room, public or both, weight in past tickets). An emergency shows a
number to call and pages the duty desk instead of waiting in a list.
"""

from campus.demo.rows import Rows
from models.repairs import DispatchWay, FaultType

DUTY_PHONE = "021-55550110"

TREE: tuple[tuple[str, str, tuple[tuple[str, str, str, int, str | None, str, int], ...]], ...] = (
    ("water", "水暖", (
        ("tap", "水龙头漏水", "plumbing", 30, "先关闭水龙头下方的角阀，可以止住漏水。", "both", 14),
        ("toilet", "马桶堵塞", "plumbing", 40, "不要继续冲水，以免溢出。", "both", 12),
        ("drain", "地漏堵塞", "plumbing", 40, "先清理地漏表面的头发。", "both", 9),
        ("pipe_leak", "水管漏水", "plumbing", 60, "请先关闭总阀，并挪开怕水的物品。", "both", 5),
        ("water_heater", "热水器故障", "plumbing", 60, "先确认电源和进水阀已打开，卡内余额充足。", "room", 7),
        ("no_water", "停水", "plumbing", 60, "请先看看邻近房间是否也停水，计划停水会提前通知。", "both", 3),
        ("shower", "淋浴花洒损坏", "plumbing", 30, None, "room", 4),
        ("sink", "洗手池破损", "plumbing", 60, None, "both", 2),
        ("radiator", "暖气不热", "plumbing", 60, "先打开暖气片上的放气阀放气。", "both", 2),
    )),
    ("power", "电气", (
        ("light", "灯不亮", "electric", 30, "先确认其他灯是否亮；整间没电请报“房间停电”。", "both", 14),
        ("socket", "插座没电", "electric", 30, "先检查房间配电箱是否跳闸；请勿自行拆开插座。", "both", 8),
        ("power_out", "房间停电", "electric", 40, "先查看电费余额和空气开关。", "room", 6),
        ("switch", "开关损坏", "electric", 30, None, "both", 3),
        ("fan", "风扇不转", "electric", 40, None, "both", 3),
        ("exhaust", "排气扇不转", "electric", 40, None, "both", 1),
    )),
    ("cooling", "空调家电", (
        ("aircon", "空调不制冷", "electric", 60, "先清洗滤网，并确认遥控器处于制冷模式、温度低于室温。", "both", 16),
        ("aircon_leak", "空调漏水", "electric", 60, "请先关机，并在下方放盆接水。", "both", 5),
        ("aircon_noise", "空调异响", "electric", 60, None, "both", 2),
        ("washer", "洗衣机故障", "electric", 60, "请勿强行开门，拔掉电源后等待两分钟。", "public", 3),
        ("water_dispenser", "饮水机故障", "electric", 60, None, "public", 3),
        ("projector", "投影仪故障", "network", 40, "先确认信号源和线缆。", "public", 3),
    )),
    ("wood", "门窗家具", (
        ("door_lock", "门锁损坏", "carpentry", 40, "被锁在门外请先联系楼管。", "both", 9),
        ("door", "门关不上", "carpentry", 40, None, "both", 3),
        ("window", "窗户损坏", "carpentry", 60, "请远离碎玻璃，不要徒手清理。", "both", 6),
        ("screen", "纱窗破损", "carpentry", 40, None, "room", 3),
        ("curtain", "窗帘脱落", "carpentry", 30, None, "both", 2),
        ("bed", "床架损坏", "carpentry", 60, "上铺晃动请先不要使用。", "room", 6),
        ("desk", "桌椅损坏", "carpentry", 40, None, "both", 5),
        ("wardrobe", "衣柜损坏", "carpentry", 40, None, "room", 4),
    )),
    ("building", "墙面屋顶", (
        ("wall", "墙皮脱落", "masonry", 120, None, "both", 3),
        ("roof_leak", "屋顶漏水", "masonry", 180, "请先挪开怕水的物品。", "both", 2),
        ("floor_tile", "地砖破损", "masonry", 120, None, "both", 2),
        ("ceiling", "吊顶损坏", "masonry", 90, None, "public", 1),
        ("mildew", "墙面发霉", "masonry", 120, None, "room", 1),
    )),
    ("network_group", "网络弱电", (
        ("network", "网络不通", "network", 40, "先重启路由器，并确认账号没有欠费。", "both", 9),
        ("port", "网口损坏", "network", 40, None, "both", 2),
        ("access_card", "门禁刷卡无反应", "network", 40, "先换一张卡试试，确认不是卡的问题。", "both", 3),
        ("camera", "监控故障", "network", 60, None, "public", 1),
    )),
    ("public_group", "公共设施", (
        ("lift", "电梯故障", "lift", 60, "请走楼梯；有人被困请报“电梯困人”。", "public", 2),
        ("street_light", "路灯不亮", "electric", 60, None, "public", 2),
        ("manhole", "井盖松动", "masonry", 60, "请绕行并提醒他人。", "public", 1),
    )),
)  # fmt: skip
EMERGENCIES = (
    ("gas", "燃气泄漏", "立即关闭阀门、开窗通风、撤到室外；不要开关电器，不要在现场打电话。"),
    ("fire", "着火", "立即撤离并拨打 119，走楼梯不乘电梯，用湿毛巾捂住口鼻。"),
    ("lift_trapped", "电梯困人", "按轿厢内的呼叫按钮，不要扒门，靠内壁站好，等待救援。"),
)


def plant(rows: Rows) -> dict[str, int]:
    """Every fault type is waiting in `rows`; id by code of the leaves."""
    leaves: dict[str, int] = {}
    usual = {"priority": "normal", "respond_minutes": 120, "finish_minutes": 1440, "retired_at": None}
    plain = {"trade": None, "standard_minutes": 60, "dispatch_way": DispatchWay.BY_AREA, "hint": None}
    quiet = {"emergency_phone": None, "emergency_text": None}
    urgent = rows.add(FaultType, code="emergency", name="紧急情况", parent_id=None, rank=0, **usual, **plain, **quiet)
    for rank, (code, name, words) in enumerate(EMERGENCIES):
        leaves[code] = rows.add(
            FaultType, code=code, name=name, parent_id=urgent, trade="emergency", priority="emergency",
            standard_minutes=30, dispatch_way=DispatchWay.LEAST_LOAD, respond_minutes=30, finish_minutes=240, hint=None,
            emergency_phone=DUTY_PHONE, emergency_text=words, rank=rank, retired_at=None,
        )  # fmt: skip
    for order, (code, name, below) in enumerate(TREE, start=1):
        parent = rows.add(FaultType, code=code, name=name, parent_id=None, rank=order * 10, **usual, **plain, **quiet)
        for rank, (leaf, called, trade, minutes, hint, _where, weight) in enumerate(below):
            # Few masons and lift engineers own no building: the one with the least in hand goes.
            way = DispatchWay.LEAST_LOAD if trade in ("masonry", "lift") else DispatchWay.BY_AREA
            leaves[leaf] = rows.add(
                FaultType, code=leaf, name=called, parent_id=parent, trade=trade, standard_minutes=minutes,
                dispatch_way=way, hint=hint, rank=max(1, 100 - weight * 5) + rank, **usual, **quiet,
            )  # fmt: skip
    # What somebody describes in words of their own after a scan (`campus.repairs.chat.OTHER`): the desk reads and sends.
    by_hand = plain | {"trade": "general", "dispatch_way": DispatchWay.BY_HAND}
    rest = rows.add(FaultType, code="other_group", name="其他", parent_id=None, rank=1000, **usual, **plain, **quiet)
    rows.add(FaultType, code="other", name="其他问题", parent_id=rest, rank=1000, **usual, **by_hand, **quiet)
    return leaves
