"""Talking to a platform over HTTP, with three answers. STYLE "Translate a platform once".

Could not connect: Busy, nothing happened. Connected, but the end was not heard or cannot be read: Unknown,
maybe it happened. Anything else is handed to the platform's own table.
"""

import json
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from core import log, metrics
from core.errors import Busy, Unknown

_log = log.get(__name__)

CONNECT_S = 3.0
MAX_BYTES = 20 * 1024 * 1024


class Http:
    """A pooled session to one platform. Says once when the platform goes away, and once when it is back."""

    def __init__(self, name: str, base_url: str, *, timeout_s: float = 10.0, pool: int = 16) -> None:
        self.name = name
        self.base_url = base_url.rstrip("/")
        self.timeout = (CONNECT_S, timeout_s)
        self.session = requests.Session()
        # trust_env off: REQUESTS_CA_BUNDLE and proxies of the environment must not change who we talk to (PERFORMANCE D.18).
        self.session.trust_env = False
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=pool, max_retries=0))
        self._away = False

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """The platform's answer, whatever its status. Raises Busy or Unknown."""
        url = path if "://" in path else self.base_url + path
        options.setdefault("timeout", self.timeout)
        try:
            answer = self.session.request(method, url, allow_redirects=False, **options)
        except requests.exceptions.ConnectTimeout as why:
            raise self._gone(Busy("connect_timeout", _cause(why))) from None
        except requests.exceptions.ConnectionError as why:
            never_sent = "NewConnectionError" in repr(why) or "NameResolutionError" in repr(why)
            raise self._gone((Busy if never_sent else Unknown)("connection", _cause(why))) from None
        except requests.exceptions.RequestException as why:
            raise self._gone(Unknown("no_answer", _cause(why))) from None
        if len(answer.content) > MAX_BYTES:
            raise Unknown("too_large", f"{len(answer.content)} bytes")
        if answer.status_code >= 500:
            raise self._gone(Unknown(answer.status_code, "server error"))
        self._here()
        return answer

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The JSON object of the answer, whatever its content type says (PROTOCOLS 1: text/plain happens)."""
        return json_object(self.request(method, path, **options).content)

    def _gone(self, why: Busy | Unknown) -> Busy | Unknown:
        metrics.PLATFORM_CALLS.labels(self.name, type(why).__name__.lower()).inc()
        metrics.PLATFORM_UP.labels(self.name).set(0)
        if not self._away:
            self._away = True
            _log.warning("platform went away", platform=self.name, why=str(why.code))
        return why

    def _here(self) -> None:
        metrics.PLATFORM_CALLS.labels(self.name, "heard").inc()
        metrics.PLATFORM_UP.labels(self.name).set(1)
        if self._away:
            self._away = False
            _log.info("platform is back", platform=self.name)


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a platform's answer. Raises Unknown when it is none."""
    try:
        reply = json.loads(body.decode("utf-8", errors="replace"))
    except ValueError:
        raise Unknown("not_json", "answer is not JSON") from None
    if not isinstance(reply, dict):
        raise Unknown("not_object", "answer is not a JSON object")
    return reply


def _cause(why: BaseException) -> str:
    return type(why).__name__  # the message holds the URL with its query, and that holds tokens
