"""The outside platforms, each behind one edge that answers with a value, Refused, Busy or Unknown. DESIGN §2.

`build` makes one frozen `Platforms` from the config; doors and worker are handed it, and a test hands in scripted
ones. A platform whose section is absent is None.
"""

from dataclasses import dataclass

from core.config import Config
from core.redis import Cache
from platforms.official import OfficialAccount


@dataclass(frozen=True)
class Platforms:
    """Every platform that this installation talks to."""

    official: OfficialAccount | None = None


def build(config: Config, cache: Cache) -> Platforms:
    """The platforms of this config. Nothing is called and nothing connects yet."""
    return Platforms(official=OfficialAccount(config.official_account, cache) if config.official_account else None)
