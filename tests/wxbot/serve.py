"""What gunicorn serves in tests with real processes: the door with a slow deed that leaves a line for each time it is done."""

import os
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import crypto, log
from models.access import Actor
from models.audit import audit
from tests.wxbot import wire
from tests.wxbot.conftest import app_behind
from wxbot.deeds import HELP, Came, Line, Table
from wxbot.door import CallbackDoor
from wxbot.replies import Reply, Say

DATABASE = "HOUQIN_TEST_DATABASE"


def slow_deed(s: Session, came: Came) -> Reply:
    """Half a second of work before and after its one line."""
    s.execute(sa.text("SELECT SLEEP(0.25)"))
    audit(s, Actor(None, came.door, came.request_id), "test.deed", came.message.msg_id, now=came.now)
    s.flush()
    s.execute(sa.text("SELECT SLEEP(0.25)"))
    return Say(f"办好了 {came.request_id}")


TABLE = Table((Line("official", "text", "慢.*", slow_deed), Line("official", "text", ".*", HELP)))


def app() -> Any:
    log.set_up(level="ERROR")
    crypto.use(crypto.Vault(("canary-data-key",)))
    return CallbackDoor(app_behind, config=wire.config(os.environ[DATABASE]), table=TABLE)
