"""The person behind the phone: who they are here, what they agreed to, what is stored about them. FEATURES P2, P3, P8, P11."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from flask import Response, jsonify
from pydantic import Field, RootModel
from sqlalchemy.orm import Session

from campus import notices, people
from core import clock
from core.db import reading, run
from core.errors import Refused
from core.house import house
from miniprogram_api import oauth
from miniprogram_api.frame import api, current_actor, current_session, polled, refuses, signed_in
from miniprogram_api.kinds import In, Moment, Out, Phone, line, secret, word
from miniprogram_api.limits import limited
from models.access import Actor
from models.people import IdentityKind, PersonKind

IDENTITIES = "/bindings/<any(official,mini,wecom,alipay,sso):kind>"


class PlaceRef(Out):
    code: str
    label: str


class IdentityOut(Out):
    kind: IdentityKind
    since: Moment


class ConsentsOut(Out):
    privacy: str | None = Field(description="The version of the privacy text the person agreed to")


class MeOut(Out):
    name: str
    campus_no: str
    kind: PersonKind
    department: str | None
    phone_masked: str | None
    identities: list[IdentityOut]
    roles: list[str]
    permissions: list[str]
    consents: ConsentsOut
    home_place: PlaceRef | None
    unread: int


class PrivacyOut(Out):
    version: str
    title: str
    text: str


class DataOut(RootModel[dict[str, Any]]):
    """What is stored, area by area, in the words of the tables."""


class BindByCodeIn(In):
    way: Literal["code"]
    campus_no: word(64)
    name: line(64)
    code: secret(32)


class BindBySsoIn(In):
    way: Literal["sso"]
    ticket: secret(128)


class BindingIn(RootModel[Annotated[BindByCodeIn | BindBySsoIn, Field(discriminator="way")]]):
    """Proof of who somebody is: a one-time code of an operator, or a ticket of the campus sign-in."""


class ConsentIn(In):
    kind: Literal["privacy"]
    version: word(32)


class PhoneTypedIn(In):
    phone: Phone


class PhoneGivenIn(In):
    wechat_code: secret(256)


class PhoneIn(RootModel[PhoneTypedIn | PhoneGivenIn]):
    """A number typed in, or the code of WeChat's `getPhoneNumber` button."""


def me_of(s: Session, by: Actor) -> MeOut:
    """What the client shows about the person."""
    me = people.me(s, by=by)
    return MeOut(
        name=me.person.name,
        campus_no=me.person.campus_no,
        kind=me.person.kind,
        department=me.department,
        phone_masked=me.person.phone_masked,
        identities=[IdentityOut(kind=one.kind, since=one.bound_at) for one in me.identities],
        roles=me.roles,
        permissions=me.permissions,
        consents=ConsentsOut(privacy=me.consents.get("privacy")),
        home_place=PlaceRef(code=me.home.code, label=me.home.label) if me.home else None,
        unread=notices.unread(s, by=by),
    )


@api.get("/me")
@signed_in
@polled(30)
@api.output(MeOut)
def get_me() -> MeOut:
    """Who is asking, as the campus knows them. 403 `binding_needed` while the session is nobody's yet."""
    with reading() as s:
        return me_of(s, current_actor())


@api.get("/me/data")
@signed_in
@limited("export")
@api.output(DataOut, description="Everything stored about the person")
def get_me_data() -> Response:
    """Everything that is stored about the person, to keep (P8)."""
    with reading() as s:
        data = people.own_data(s, by=current_actor())
    answer = jsonify(DataOut.model_validate(data).model_dump(mode="json"))
    answer.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return answer


@api.post("/me/consents")
@signed_in
@limited("moves")
@api.input(ConsentIn, example={"kind": "privacy", "version": "2026-09"})
@api.output(MeOut)
def post_consent(json_data: ConsentIn) -> MeOut:
    """The person agreed to this version of the privacy text (P11)."""
    by, now = current_actor(), clock.now()

    def agree(s: Session) -> MeOut:
        people.give_consent(s, kind=json_data.kind, version=json_data.version, by=by, now=now)
        return me_of(s, by)

    return run(agree)


@api.put("/me/phone")
@signed_in
@limited("binding")
@refuses(502)
@api.input(
    PhoneIn, examples={"typed": {"value": {"phone": "13800138000"}}, "given": {"value": {"wechat_code": "e31968a7"}}}
)
@api.output(MeOut)
def put_phone(json_data: PhoneIn) -> MeOut:
    """The person's phone number is this one from now on. Consent comes first (P11)."""
    by, now = current_actor(), clock.now()
    phone = _phone(json_data.root)

    def keep(s: Session) -> MeOut:
        people.set_phone(s, phone=phone, by=by, now=now)
        return me_of(s, by)

    return run(keep)


def _phone(said: PhoneTypedIn | PhoneGivenIn) -> str:
    if isinstance(said, PhoneTypedIn):
        return said.phone
    mini = oauth.switched_on(house().platforms.mini)
    try:
        return str(mini.phone_number(said.wechat_code))
    except Refused as why:
        raise oauth.LoginRefused("微信没有给出手机号，请再点一次", answer=why.code) from None


@api.post("/bindings")
@signed_in
@limited("binding")
@api.input(
    BindingIn,
    examples={
        "code": {"value": {"way": "code", "campus_no": "2023010102", "name": "陈思远", "code": "7K2M-9X4C"}},
        "sso": {"value": {"way": "sso", "ticket": "k3J9"}},
    },
)
@api.output(
    MeOut,
    links={"unbind": {"operationId": "delete_binding", "parameters": {"kind": "$response.body#/identities/0/kind"}}},
)
def post_binding(json_data: BindingIn) -> MeOut:
    """The platform identity of this session belongs to the person who was proved (P3)."""
    proof, session, by, now = json_data.root, current_session(), current_actor(), clock.now()

    def bind(s: Session) -> MeOut:
        if isinstance(proof, BindByCodeIn):
            person = people.bind_with_code(
                s, session=session, campus_no=proof.campus_no, name=proof.name, code=proof.code, by=by, now=now
            )
        else:
            person = people.bind_with_sso(s, session=session, ticket=proof.ticket, by=by, now=now)
        return me_of(s, replace(by, person_id=person.id))

    return run(bind)


@api.delete(IDENTITIES)
@signed_in
@limited("binding")
@api.output({}, status_code=204)
def delete_binding(kind: str) -> str:
    """That platform identity is the person's no longer, and the sessions it opened are over."""
    by, now = current_actor(), clock.now()
    run(lambda s: people.unbind(s, kind=IdentityKind(kind), by=by, now=now))
    return ""


@api.get("/privacy")
@limited("public")
@polled(3600)
@api.output(PrivacyOut)
def get_privacy() -> PrivacyOut:
    """The privacy text that is asked to be agreed to, with its version (P11)."""
    version, title, text = people.PRIVACY
    return PrivacyOut(version=version, title=title, text=text)
