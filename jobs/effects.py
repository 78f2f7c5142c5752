"""What pays which debt: one line per topic. DESIGN §2."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from campus import chat_answers, door_qr, followers, repairs
from campus.notices import Accepted, Answer, Declined, NotNow, Planned, Unheard
from campus.repairs import content
from core.errors import Busy, Refused, Unknown
from core.house import House
from jobs.debts import Ask, Rule
from models.notices import Channel
from models.people import IdentityKind
from platforms.push import Push, SmsPush, SubscribePush, TemplatePush, WeComCard


def on(platform: Any) -> Any:
    """The platform. Raises Refused when its section is absent: the debt was owed while it was on."""
    if platform is None:
        raise Refused("off")
    return platform


EFFECTS: dict[str, Rule | Ask] = {
    "chat.answer": Ask(
        begin=chat_answers.begin,
        call=lambda p, d: (
            on(p.wecom).send_text([d.subject], d.text)
            if d.kind is IdentityKind.WECOM
            else on(p.official).send_text(d.subject, d.text)
        ),
        record=chat_answers.record,
    ),
    "door.qr": Ask(
        begin=door_qr.begin, call=lambda p, d: on(p.official).make_door_qr(d.door_code), record=door_qr.record
    ),
    "follower.look": Ask(
        begin=followers.begin, call=lambda p, d: on(p.official).follower(d.openid), record=followers.record
    ),
    "repair.dispatch": Rule(lambda s, *, ticket_id, now, **_: repairs.dispatch(s, ticket_id, now=now)),
    "repair.unassigned": Rule(lambda s, *, ticket_id, now, **_: repairs.unassigned(s, ticket_id, now=now)),
    "content.text": Ask(
        begin=content.begin_text_check,
        call=lambda p, d: on(p.mini).check_text(d.openid, d.text),
        record=content.record_text_check,
    ),
    "content.photo": Ask(
        begin=content.begin_photo_check,
        call=lambda p, d: on(p.mini).check_photo_async(d.openid, p.our_url + d.path),
        record=content.record_photo_check,
    ),
}


def channels_on(house: House) -> frozenset[Channel]:
    """The channels whose platform is configured."""
    p = house.platforms
    on = {Channel.MINI: p.mini, Channel.OFFICIAL: p.official, Channel.WECOM: p.wecom, Channel.SMS: p.sms}
    return frozenset(channel for channel, platform in on.items() if platform is not None)


def sender(house: House) -> Callable[[Planned], Awaitable[Answer]]:
    """Sends one planned notice through the bulk sender; its three answers in the rule's words."""
    push = house.platforms.push

    async def send(planned: Planned) -> Answer:
        try:
            sent = await push.send(message(house, planned))
        except Refused as why:
            return Declined(why.code)
        except Busy as why:
            return NotNow(why.code, why.retry_after_s)
        except Unknown as why:
            return Unheard(why.code)
        if planned.address in sent.invalid:
            return Declined("invaliduser")
        return Accepted(sent.platform_id)

    return send


def message(house: House, planned: Planned) -> Push:
    """The planned notice as that channel's message. Every notice opens the right page (N7)."""
    match planned.channel:
        case Channel.OFFICIAL:
            mini = house.config.mini_program
            return TemplatePush(
                planned.address,
                planned.template_id,
                planned.data,
                url=link(house, planned.page, "official"),
                mini=(mini.app_id, planned.page.lstrip("/")) if mini and planned.page else None,
                client_msg_id=planned.key,
            )
        case Channel.MINI:
            return SubscribePush(
                planned.address, planned.template_id, planned.data, page=(planned.page or "").lstrip("/") or None
            )
        case Channel.WECOM:
            return WeComCard(
                (planned.address,),
                planned.title,
                planned.text,
                link(house, planned.page, "wecom") or house.config.server.base_url,
            )
        case _:
            return SmsPush(
                planned.key, planned.address, f"【{house.config.server.school}】{planned.title}:{planned.text}"
            )


def link(house: House, page: str | None, via: str) -> str | None:
    """The H5 address of a client page; `via` tells the page which sign-in to use, so that it opens signed in (N7)."""
    return f"{house.config.server.base_url}/m/?via={quote(via)}#{page}" if page else None
