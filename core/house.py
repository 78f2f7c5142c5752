"""What a running process was given when it was wired: config, platforms, cache, file store. DESIGN §2.

`app.py` builds one and hands it to the doors (through the Flask app) and to the worker. There is no module-level
instance, so a test hands in scripted platforms. `platforms` is a `platforms.Platforms`; core knows no platform.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import current_app

from core.config import Config
from core.redis import Cache

if TYPE_CHECKING:
    from core.files import FileStore

KEY = "houqin"


@dataclass(frozen=True)
class House:
    config: Config
    platforms: Any
    cache: Cache
    files: "FileStore"


def house() -> House:
    """What this app was given."""
    found: House = current_app.extensions[KEY]
    return found
