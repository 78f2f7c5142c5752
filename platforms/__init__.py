"""The outside platforms, each behind one edge that answers with a value, Refused, Busy or Unknown. DESIGN §2.

`build` makes one frozen `Platforms` from the config; doors and worker are handed it, and a test hands in scripted
ones. A platform whose section is absent is None.
"""

from dataclasses import dataclass, field

from core.config import Config
from core.redis import Cache
from platforms import sso as single_sign_on
from platforms.mini import MiniProgram
from platforms.official import OfficialAccount
from platforms.push import Sender
from platforms.sms import Sms
from platforms.wecom import WeCom, WeComContacts


@dataclass(frozen=True)
class Platforms:
    """Every platform that this installation talks to. `push` is for the worker's event loop."""

    official: OfficialAccount | None = None
    mini: MiniProgram | None = None
    wecom: WeCom | None = None
    contacts: WeComContacts | None = None
    sms: Sms | None = None
    sso: single_sign_on.Sso | None = None
    push: Sender = field(default_factory=Sender)
    our_url: str = ""  # where platforms reach us, for what they fetch from us


def build(config: Config, cache: Cache) -> Platforms:
    """The platforms of this config. Nothing is called and nothing connects yet."""
    official = OfficialAccount(config.official_account, cache) if config.official_account else None
    mini = MiniProgram(config.mini_program, cache) if config.mini_program else None
    wecom = WeCom(config.wecom, cache) if config.wecom else None
    contacts = None
    if config.wecom and config.wecom_contacts:  # the corporation stands in [wecom]
        contacts = WeComContacts(config.wecom_contacts, config.wecom, cache)
    sms = Sms(config.sms) if config.sms else None
    return Platforms(
        official=official,
        mini=mini,
        wecom=wecom,
        contacts=contacts,
        sms=sms,
        sso=single_sign_on.build(config.sso),
        push=Sender(official=official, mini=mini, wecom=wecom, sms=sms),
        our_url=config.server.base_url,
    )
