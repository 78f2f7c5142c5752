"""Every object × every role, and the control: a route that forgot to ask who is looking is found. DRILLS K18."""

import sqlalchemy as sa
from flask import jsonify

from core.db import reading, run
from models.repairs import Ticket
from tests.miniprogram_api.matrix import ROLES, lay_out, walk


def test_nobody_learns_or_moves_what_is_not_theirs(app, world):
    asked, findings = walk(app, world, lay_out(world, app))
    assert findings == []
    assert asked > 20 * len(ROLES)


def test_the_matrix_finds_a_route_that_tells_everybody(app, world):
    @app.get("/api/v1/test-only/<no>")
    def get_without_asking(no):
        with reading() as s:
            return jsonify(text=s.scalar(sa.select(Ticket.text).where(Ticket.no == no)))

    _, findings = walk(app, world, lay_out(world, app))
    assert {one.role for one in findings} == {"other", "worker", "unbound", "nobody"}
    assert {one.path for one in findings} == {f"/api/v1/test-only/{world.ticket}"}


def test_the_matrix_finds_a_route_that_lets_everybody_move_it(app, world):
    @app.post("/api/v1/test-only/<no>/take")
    def post_without_asking(no):
        run(lambda s: s.execute(sa.update(Ticket).where(Ticket.no == no).values(state="working")))
        return jsonify(ok=False), 403

    _, findings = walk(app, world, lay_out(world, app))
    assert [(one.role, one.path, one.why) for one in findings] == [
        ("requester", f"/api/v1/test-only/{world.ticket}/take", "changed ['ticket']")
    ]
