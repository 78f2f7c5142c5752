"""The first house.

Revision: 0001, after nothing.
"""

import sqlalchemy as sa
from alembic import op

from models.base import BigId, UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "arrival",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("door", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("arrived_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival")),
        sa.UniqueConstraint("door", "key", name=op.f("uq_arrival_door_key")),
    )
    with op.batch_alter_table("arrival", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_arrival_arrived_at"), ["arrived_at"], unique=False)

    op.create_table(
        "audit_line",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=True),
        sa.Column("way", sa.String(length=64), nullable=False),
        sa.Column("ip", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("deed", sa.String(length=64), nullable=False),
        sa.Column("about", sa.String(length=190), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_line")),
        sa.UniqueConstraint("seq", name=op.f("uq_audit_line_seq")),
    )
    with op.batch_alter_table("audit_line", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_line_about"), ["about"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_line_deed"), ["deed"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_line_person_id"), ["person_id"], unique=False)

    op.create_table(
        "bind_attempt",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("campus_no", sa.String(length=64), nullable=False),
        sa.Column("tried_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bind_attempt")),
    )
    with op.batch_alter_table("bind_attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bind_attempt_campus_no_tried_at"), ["campus_no", "tried_at"], unique=False)

    op.create_table(
        "calendar_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("workday", "holiday", name="daykind_known", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("edited", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_calendar_day")),
    )
    op.create_table(
        "debt",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=190), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("lane", sa.String(length=64), nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "owed",
                "settled",
                "case",
                "let_go",
                name="debtstate_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("useful_until", UTCDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("in_doubt", sa.Boolean(), nullable=False),
        sa.Column("lease", sa.String(length=24), nullable=True),
        sa.Column("answer", sa.String(length=190), nullable=True),
        sa.Column("owed_at", UTCDateTime(), nullable=False),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_debt_attempts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_debt")),
        sa.UniqueConstraint("key", name=op.f("uq_debt_key")),
    )
    with op.batch_alter_table("debt", schema=None) as batch_op:
        batch_op.create_index("ix_debt_claim", ["state", "priority", "due_at", "id"], unique=False)

    op.create_table(
        "department",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("parent_id", BigId, nullable=True),
        sa.Column("leader_id", sa.BigInteger(), nullable=True),
        sa.Column("path", sa.String(length=190), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["department.id"], name=op.f("fk_department_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_department")),
        sa.UniqueConstraint("code", name=op.f("uq_department_code")),
    )
    with op.batch_alter_table("department", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_department_path"), ["path"], unique=False)

    op.create_table(
        "fault_type",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("parent_id", BigId, nullable=True),
        sa.Column("trade", sa.String(length=64), nullable=True),
        sa.Column("priority", sa.String(length=64), nullable=False),
        sa.Column("standard_minutes", sa.Integer(), nullable=False),
        sa.Column(
            "dispatch_way",
            sa.Enum(
                "by_area",
                "least_load",
                "by_hand",
                name="dispatchway_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("respond_minutes", sa.Integer(), nullable=False),
        sa.Column("finish_minutes", sa.Integer(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("emergency_phone", sa.String(length=64), nullable=True),
        sa.Column("emergency_text", sa.Text(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("retired_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["fault_type.id"], name=op.f("fk_fault_type_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fault_type")),
        sa.UniqueConstraint("code", name=op.f("uq_fault_type_code")),
    )
    op.create_table(
        "follower",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("openid", sa.String(length=64), nullable=False),
        sa.Column("unionid", sa.String(length=64), nullable=True),
        sa.Column("follows", sa.Boolean(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follower")),
        sa.UniqueConstraint("openid", name=op.f("uq_follower_openid")),
    )
    with op.batch_alter_table("follower", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_follower_unionid"), ["unionid"], unique=False)

    op.create_table(
        "job_run",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("slot", UTCDateTime(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("taken_by", sa.String(length=64), nullable=False),
        sa.Column("lease_until", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.Column("outcome", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_run")),
        sa.UniqueConstraint("job", "slot", name=op.f("uq_job_run_job_slot")),
    )
    op.create_table(
        "person_group",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_group")),
        sa.UniqueConstraint("code", name=op.f("uq_person_group_code")),
    )
    op.create_table(
        "place",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=190), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "campus",
                "area",
                "building",
                "floor",
                "room",
                name="placekind_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("parent_id", BigId, nullable=True),
        sa.Column("path", sa.String(length=190), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("water_riser", sa.String(length=64), nullable=True),
        sa.Column("power_riser", sa.String(length=64), nullable=True),
        sa.Column("retired_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["place.id"], name=op.f("fk_place_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place")),
        sa.UniqueConstraint("code", name=op.f("uq_place_code")),
    )
    with op.batch_alter_table("place", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_place_label"), ["label"], unique=False)
        batch_op.create_index(batch_op.f("ix_place_parent_id"), ["parent_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_place_path"), ["path"], unique=False)

    op.create_table(
        "role",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=64), nullable=False),
        sa.Column("deeds", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_role")),
    )
    op.create_table(
        "setting",
        sa.Column("key", sa.String(length=190), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("changed_by", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
    )
    op.create_table(
        "sso_ticket",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("ticket_hash", sa.String(length=64), nullable=False),
        sa.Column("campus_no", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sso_ticket")),
        sa.UniqueConstraint("ticket_hash", name=op.f("uq_sso_ticket_ticket_hash")),
    )
    op.create_table(
        "template_map",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column(
            "channel",
            sa.Enum(
                "mini",
                "official",
                "wecom",
                "sms",
                name="channel_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("template_id", sa.String(length=64), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_template_map")),
        sa.UniqueConstraint("channel", "kind", name=op.f("uq_template_map_channel_kind")),
    )
    op.create_table(
        "term",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("term", "vacation", name="termkind_known", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_term")),
        sa.UniqueConstraint("name", name=op.f("uq_term_name")),
    )
    op.create_table(
        "work_hours",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("opens", sa.String(length=5), nullable=False),
        sa.Column("closes", sa.String(length=5), nullable=False),
        sa.CheckConstraint("weekday >= 0 AND weekday <= 6", name=op.f("ck_work_hours_weekday")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_hours")),
    )
    op.create_table(
        "door_code",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("place_id", BigId, nullable=False),
        sa.Column("qr_ticket", sa.String(length=190), nullable=True),
        sa.Column("qr_url", sa.String(length=190), nullable=True),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name=op.f("fk_door_code_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_door_code")),
        sa.UniqueConstraint("code", name=op.f("uq_door_code_code")),
        sa.UniqueConstraint("place_id", name=op.f("uq_door_code_place_id")),
    )
    op.create_table(
        "person",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("campus_no", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "student",
                "staff",
                "worker",
                "driver",
                "visitor",
                name="personkind_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "active",
                "suspended",
                "left",
                name="personstatus_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("department_id", BigId, nullable=True),
        sa.Column("phone_sealed", sa.Text(), nullable=True),
        sa.Column("phone_blind", sa.String(length=64), nullable=True),
        sa.Column("phone_masked", sa.String(length=24), nullable=True),
        sa.Column("id_tail_sealed", sa.Text(), nullable=True),
        sa.Column("home_place_id", BigId, nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["department.id"], name=op.f("fk_person_department_id")),
        sa.ForeignKeyConstraint(["home_place_id"], ["place.id"], name=op.f("fk_person_home_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("campus_no", name=op.f("uq_person_campus_no")),
    )
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_department_id"), ["department_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_person_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_person_phone_blind"), ["phone_blind"], unique=False)

    op.create_table(
        "repair_draft",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("identity_kind", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=190), nullable=False),
        sa.Column("place_id", BigId, nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name=op.f("fk_repair_draft_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair_draft")),
        sa.UniqueConstraint("identity_kind", "subject", name=op.f("uq_repair_draft_identity_kind_subject")),
    )
    op.create_table(
        "area_duty",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("place_id", BigId, nullable=False),
        sa.Column("trade", sa.String(length=64), nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_area_duty_person_id")),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name=op.f("fk_area_duty_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_area_duty")),
        sa.UniqueConstraint("place_id", "trade", name=op.f("uq_area_duty_place_id_trade")),
    )
    with op.batch_alter_table("area_duty", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_area_duty_person_id"), ["person_id"], unique=False)

    op.create_table(
        "bind_code",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("issued_by", BigId, nullable=True),
        sa.Column("issued_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["issued_by"], ["person.id"], name=op.f("fk_bind_code_issued_by")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_bind_code_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bind_code")),
    )
    with op.batch_alter_table("bind_code", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bind_code_person_id"), ["person_id"], unique=False)

    op.create_table(
        "consent",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("given_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_consent_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
        sa.UniqueConstraint("person_id", "kind", "version", name=op.f("uq_consent_person_id_kind_version")),
    )
    op.create_table(
        "group_member",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("group_id", BigId, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["person_group.id"], name=op.f("fk_group_member_group_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_group_member_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_member")),
        sa.UniqueConstraint("group_id", "person_id", name=op.f("uq_group_member_group_id_person_id")),
    )
    with op.batch_alter_table("group_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_group_member_person_id"), ["person_id"], unique=False)

    op.create_table(
        "identity",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "official",
                "mini",
                "wecom",
                "alipay",
                "sso",
                name="identitykind_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("subject", sa.String(length=190), nullable=False),
        sa.Column("unionid", sa.String(length=64), nullable=True),
        sa.Column("bound_at", UTCDateTime(), nullable=False),
        sa.Column("bound_by", sa.String(length=64), nullable=False),
        sa.Column("unbound_at", UTCDateTime(), nullable=True),
        sa.Column("live", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_identity_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("kind", "subject", "live", name=op.f("uq_identity_kind_subject_live")),
        sa.UniqueConstraint("person_id", "kind", "live", name=op.f("uq_identity_person_id_kind_live")),
    )
    with op.batch_alter_table("identity", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identity_unionid"), ["unionid"], unique=False)

    op.create_table(
        "login_session",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("door", sa.String(length=64), nullable=False),
        sa.Column("way", sa.String(length=64), nullable=False),
        sa.Column("identity_kind", sa.String(length=64), nullable=True),
        sa.Column("subject", sa.String(length=190), nullable=True),
        sa.Column("unionid", sa.String(length=64), nullable=True),
        sa.Column("person_id", BigId, nullable=True),
        sa.Column("opened_at", UTCDateTime(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("ip", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=190), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_login_session_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_session_token_hash")),
    )
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_session_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_login_session_subject"), ["subject"], unique=False)

    op.create_table(
        "notice",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("about", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("page", sa.String(length=190), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("read_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_notice_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("person_id", "kind", "about", name=op.f("uq_notice_person_id_kind_about")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_about"), ["about"], unique=False)
        batch_op.create_index(batch_op.f("ix_notice_person_id_read_at"), ["person_id", "read_at"], unique=False)

    op.create_table(
        "office_case",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("no", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("about", sa.String(length=190), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("opened_at", UTCDateTime(), nullable=False),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.Column("settled_by", BigId, nullable=True),
        sa.Column("action", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("live", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["settled_by"], ["person.id"], name=op.f("fk_office_case_settled_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_office_case")),
        sa.UniqueConstraint("kind", "about", "live", name=op.f("uq_office_case_kind_about_live")),
        sa.UniqueConstraint("no", name=op.f("uq_office_case_no")),
    )
    with op.batch_alter_table("office_case", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_office_case_live_opened_at"), ["live", "opened_at"], unique=False)

    op.create_table(
        "operator",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("totp_sealed", sa.Text(), nullable=True),
        sa.Column("totp_last_step", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", UTCDateTime(), nullable=True),
        sa.Column("disabled_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_operator_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator")),
        sa.UniqueConstraint("person_id", name=op.f("uq_operator_person_id")),
    )
    op.create_table(
        "quota_move",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("template_id", sa.String(length=64), nullable=False),
        sa.Column("delta", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_quota_move_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quota_move")),
    )
    with op.batch_alter_table("quota_move", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_quota_move_person_id_template_id_at"), ["person_id", "template_id", "at"], unique=False
        )

    op.create_table(
        "resident",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("place_id", BigId, nullable=False),
        sa.Column("bed", sa.String(length=64), nullable=True),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=True),
        sa.Column("live", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_resident_person_id")),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name=op.f("fk_resident_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resident")),
        sa.UniqueConstraint("person_id", "live", name=op.f("uq_resident_person_id_live")),
    )
    with op.batch_alter_table("resident", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_resident_place_id"), ["place_id"], unique=False)

    op.create_table(
        "role_grant",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("place_id", BigId, nullable=True),
        sa.Column("department_id", BigId, nullable=True),
        sa.Column("granted_by", BigId, nullable=True),
        sa.Column("granted_at", UTCDateTime(), nullable=False),
        sa.Column("taken_back_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["department_id"], ["department.id"], name=op.f("fk_role_grant_department_id")),
        sa.ForeignKeyConstraint(["granted_by"], ["person.id"], name=op.f("fk_role_grant_granted_by")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_role_grant_person_id")),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name=op.f("fk_role_grant_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
    )
    with op.batch_alter_table("role_grant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_role_grant_person_id"), ["person_id"], unique=False)

    op.create_table(
        "shift",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("starts_at", UTCDateTime(), nullable=False),
        sa.Column("ends_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_shift_order")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_shift_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift")),
    )
    with op.batch_alter_table("shift", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shift_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_shift_starts_at_ends_at"), ["starts_at", "ends_at"], unique=False)

    op.create_table(
        "stored_file",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("no", sa.String(length=24), nullable=False),
        sa.Column("mime", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("owner_id", BigId, nullable=True),
        sa.Column("stored_at", UTCDateTime(), nullable=False),
        sa.Column("referred_at", UTCDateTime(), nullable=True),
        sa.Column("removed_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_stored_file_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_file")),
        sa.UniqueConstraint("no", name=op.f("uq_stored_file_no")),
    )
    with op.batch_alter_table("stored_file", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stored_file_owner_id"), ["owner_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_stored_file_referred_at_stored_at"), ["referred_at", "stored_at"], unique=False
        )

    op.create_table(
        "subscription_quota",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("template_id", sa.String(length=64), nullable=False),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.Column("refused_at", UTCDateTime(), nullable=True),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("remaining >= 0", name=op.f("ck_subscription_quota_remaining")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_subscription_quota_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_quota")),
        sa.UniqueConstraint("person_id", "template_id", name=op.f("uq_subscription_quota_person_id_template_id")),
    )
    op.create_table(
        "ticket",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("no", sa.String(length=24), nullable=False),
        sa.Column("place_id", BigId, nullable=False),
        sa.Column("fault_type_id", BigId, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(length=64), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "awaiting_approval",
                "filed",
                "assigned",
                "working",
                "on_hold",
                "done",
                "closed",
                "rejected",
                "cancelled",
                "unfixable",
                name="repairstate_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("way", sa.String(length=64), nullable=False),
        sa.Column("requester_id", BigId, nullable=True),
        sa.Column("contact_name", sa.String(length=64), nullable=True),
        sa.Column("contact_phone_sealed", sa.Text(), nullable=True),
        sa.Column("contact_phone_masked", sa.String(length=24), nullable=True),
        sa.Column("window_from", UTCDateTime(), nullable=True),
        sa.Column("window_until", UTCDateTime(), nullable=True),
        sa.Column("nobody_home_ok", sa.Boolean(), nullable=False),
        sa.Column("escort", sa.Boolean(), nullable=False),
        sa.Column("entry_note", sa.String(length=190), nullable=True),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("desk_operator_id", BigId, nullable=True),
        sa.Column("worker_id", BigId, nullable=True),
        sa.Column(
            "dispatch_way",
            sa.Enum(
                "by_area",
                "least_load",
                "by_hand",
                name="dispatchway_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("why", sa.String(length=190), nullable=True),
        sa.Column(
            "content",
            sa.Enum(
                "unchecked",
                "passed",
                "held",
                name="contentstate_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("respond_by", UTCDateTime(), nullable=True),
        sa.Column("finish_by", UTCDateTime(), nullable=True),
        sa.Column("filed_at", UTCDateTime(), nullable=False),
        sa.Column("assigned_at", UTCDateTime(), nullable=True),
        sa.Column("taken_at", UTCDateTime(), nullable=True),
        sa.Column("arrived_at", UTCDateTime(), nullable=True),
        sa.Column("done_at", UTCDateTime(), nullable=True),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.Column("result", sa.String(length=64), nullable=True),
        sa.Column("result_note", sa.Text(), nullable=True),
        sa.Column("proposal", sa.Text(), nullable=True),
        sa.Column("idem_key", sa.String(length=64), nullable=True),
        sa.CheckConstraint("quantity >= 1 AND quantity <= 999", name=op.f("ck_ticket_quantity")),
        sa.ForeignKeyConstraint(["desk_operator_id"], ["person.id"], name=op.f("fk_ticket_desk_operator_id")),
        sa.ForeignKeyConstraint(["fault_type_id"], ["fault_type.id"], name=op.f("fk_ticket_fault_type_id")),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name=op.f("fk_ticket_place_id")),
        sa.ForeignKeyConstraint(["requester_id"], ["person.id"], name=op.f("fk_ticket_requester_id")),
        sa.ForeignKeyConstraint(["worker_id"], ["person.id"], name=op.f("fk_ticket_worker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
        sa.UniqueConstraint("desk_operator_id", "idem_key", name=op.f("uq_ticket_desk_operator_id_idem_key")),
        sa.UniqueConstraint("no", name=op.f("uq_ticket_no")),
        sa.UniqueConstraint("requester_id", "idem_key", name=op.f("uq_ticket_requester_id_idem_key")),
    )
    with op.batch_alter_table("ticket", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ticket_fault_type_id"), ["fault_type_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ticket_place_id_state"), ["place_id", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_ticket_requester_id_id"), ["requester_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ticket_state_filed_at"), ["state", "filed_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_ticket_state_finish_by"), ["state", "finish_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_ticket_worker_id_state"), ["worker_id", "state"], unique=False)

    op.create_table(
        "worker_trade",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("person_id", BigId, nullable=False),
        sa.Column("trade", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_worker_trade_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_trade")),
        sa.UniqueConstraint("person_id", "trade", name=op.f("uq_worker_trade_person_id_trade")),
    )
    with op.batch_alter_table("worker_trade", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_worker_trade_trade"), ["trade"], unique=False)

    op.create_table(
        "notice_try",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("notice_id", BigId, nullable=False),
        sa.Column(
            "channel",
            sa.Enum(
                "mini",
                "official",
                "wecom",
                "sms",
                name="channel_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "sending",
                "accepted",
                "delivered",
                "refused",
                "failed",
                "unknown",
                "later",
                name="trystate_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("template_id", sa.String(length=64), nullable=True),
        sa.Column("answer", sa.String(length=190), nullable=True),
        sa.Column("platform_id", sa.String(length=64), nullable=True),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("perhaps_twice", sa.Boolean(), nullable=False),
        sa.Column("tried_at", UTCDateTime(), nullable=False),
        sa.Column("answered_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("fk_notice_try_notice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_try")),
        sa.UniqueConstraint("notice_id", "channel", name=op.f("uq_notice_try_notice_id_channel")),
    )
    with op.batch_alter_table("notice_try", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_try_channel_platform_id"), ["channel", "platform_id"], unique=False)

    op.create_table(
        "rating",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("ticket_id", BigId, nullable=False),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("attitude", sa.Integer(), nullable=False),
        sa.Column("speed", sa.Integer(), nullable=False),
        sa.Column("result", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column(
            "content",
            sa.Enum(
                "unchecked",
                "passed",
                "held",
                name="contentstate_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("rated_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint(
            "quality >= 1 AND quality <= 5 AND attitude >= 1 AND attitude <= 5 AND speed >= 1 AND speed <= 5 AND result >= 1 AND result <= 5",
            name=op.f("ck_rating_marks"),
        ),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_rating_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rating")),
        sa.UniqueConstraint("ticket_id", name=op.f("uq_rating_ticket_id")),
    )
    op.create_table(
        "ticket_photo",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("ticket_id", BigId, nullable=False),
        sa.Column("file_id", BigId, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column(
            "content",
            sa.Enum(
                "unchecked",
                "passed",
                "held",
                name="contentstate_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("trace_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["file_id"], ["stored_file.id"], name=op.f("fk_ticket_photo_file_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_photo_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_photo")),
        sa.UniqueConstraint("ticket_id", "file_id", name=op.f("uq_ticket_photo_ticket_id_file_id")),
    )
    with op.batch_alter_table("ticket_photo", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ticket_photo_file_id"), ["file_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ticket_photo_trace_id"), ["trace_id"], unique=False)

    op.create_table(
        "ticket_step",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("ticket_id", BigId, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("from_state", sa.String(length=64), nullable=True),
        sa.Column("to_state", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=True),
        sa.Column("way", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=True),
        sa.Column(
            "content",
            sa.Enum(
                "unchecked",
                "passed",
                "held",
                name="contentstate_known",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_step_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_step")),
    )
    with op.batch_alter_table("ticket_step", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ticket_step_ticket_id"), ["ticket_id"], unique=False)


def downgrade() -> None:
    # A table takes its indexes with it; MariaDB refuses to drop one that a foreign key needs.
    op.drop_table("ticket_step")
    op.drop_table("ticket_photo")
    op.drop_table("rating")
    op.drop_table("notice_try")
    op.drop_table("worker_trade")
    op.drop_table("ticket")
    op.drop_table("subscription_quota")
    op.drop_table("stored_file")
    op.drop_table("shift")
    op.drop_table("role_grant")
    op.drop_table("resident")
    op.drop_table("quota_move")
    op.drop_table("operator")
    op.drop_table("office_case")
    op.drop_table("notice")
    op.drop_table("login_session")
    op.drop_table("identity")
    op.drop_table("group_member")
    op.drop_table("consent")
    op.drop_table("bind_code")
    op.drop_table("area_duty")
    op.drop_table("repair_draft")
    op.drop_table("person")
    op.drop_table("door_code")
    op.drop_table("work_hours")
    op.drop_table("term")
    op.drop_table("template_map")
    op.drop_table("sso_ticket")
    op.drop_table("setting")
    op.drop_table("role")
    op.drop_table("place")
    op.drop_table("person_group")
    op.drop_table("job_run")
    op.drop_table("follower")
    op.drop_table("fault_type")
    op.drop_table("department")
    op.drop_table("debt")
    op.drop_table("calendar_day")
    op.drop_table("bind_attempt")
    op.drop_table("audit_line")
    op.drop_table("arrival")
