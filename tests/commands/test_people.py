"""The commands of people, doors, operators and the audit, as an administrator types them."""

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campus import sheets
from commands import main
from core import crypto, db, log
from core.db import run
from models.audit import AuditLine, seal
from models.base import Base

CONFIG = """
[server]
base_url = "http://127.0.0.1:8000"
secret_key = "only-for-this-test-and-nowhere-else"
data_keys = ["canary-data-key"]
[database]
url = "sqlite:///{path}"
"""
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def houqin(tmp_path, monkeypatch):
    """Runs `houqin …` on an empty campus of its own; the output, and the exit code it is expected to have."""
    path = tmp_path / "houqin.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    (tmp_path / "houqin.toml").write_text(CONFIG.format(path=path), "utf-8")
    monkeypatch.chdir(tmp_path)

    def call(*words, exits=0, types=None):
        done = CliRunner().invoke(main, ["--config", "houqin.toml", *words], input=types)
        assert done.exit_code == exits, done.output
        return done.output

    yield call
    db.database().dispose()
    crypto.use(crypto.Vault(("canary-data-key",)))
    log.set_up(level="INFO")


def test_a_school_is_imported_checked_and_exported(houqin, tmp_path):
    (tmp_path / "people.csv").write_bytes(
        "学工号,姓名,类型,手机号\nT1002,周卫东,教职工,13800030002\nS1,林小雨,学生,123\n".encode("gbk")
    )
    assert "第 3 行 手机号：不是 11 位手机号" in houqin("people", "import", "people.csv", "--dry-run")
    assert "没有导入任何内容" in houqin("people", "import", "people.csv", exits=1)
    assert "新增 1" in houqin("people", "import", "people.csv", "--keep-good", "--bad-rows", "bad.xlsx")
    assert sheets.read((tmp_path / "bad.xlsx").read_bytes())[1] == [
        "S1",
        "林小雨",
        "学生",
        "123",
        "手机号：不是 11 位手机号",
    ]
    houqin("people", "export", "out.csv")
    assert sheets.read((tmp_path / "out.csv").read_bytes())[1:] == [
        ["T1002", "周卫东", "教职工", "", "138****0002", "在校"]
    ]
    assert "未变 1" in houqin("people", "import", "out.csv")


def test_what_is_no_table_is_said(houqin, tmp_path):
    (tmp_path / "people.xlsx").write_bytes(b"PK\x03\x04nonsense")
    assert "打不开" in houqin("people", "import", "people.xlsx", exits=1)


def test_the_first_operator_is_made_on_the_command_line(houqin, tmp_path):
    (tmp_path / "people.csv").write_text("学工号,姓名,类型\nT1002,周卫东,教职工\n", "utf-8")
    houqin("people", "import", "people.csv")
    assert "密码至少 10 位" in houqin("operator", "add", "T1002", "--password", "short", exits=1)
    assert "otpauth://totp/" in houqin("operator", "add", "T1002", types="Vt7-kq2-Zp9x\nVt7-kq2-Zp9x\n")
    assert "T1002  周卫东  active  admin" in houqin("operator", "list")
    assert "otpauth://totp/" in houqin("operator", "totp", "T1002")
    houqin("operator", "password", "T1002", "--password", "Neue-9r-Zkw2")
    assert "no such person" in houqin("operator", "add", "T9", "--password", "Vt7-kq2-Zp9x", exits=1)
    assert len(houqin("operator", "code", SECRET).strip()) == 6


def test_the_demo_school_and_the_sheet_of_a_building(houqin, tmp_path):
    said = houqin(
        "demo", "data", "--students", "20", "--tickets", "20", "--password", "Vt7-kq2-Zp9x", "--sign-in-file", "who.txt"
    )
    assert "20 residents" in said
    assert "T1001 赵敏" in (tmp_path / "who.txt").read_text("utf-8")
    assert (tmp_path / "who.txt").stat().st_mode & 0o077 == 0
    assert "空库" in houqin("demo", "data", "--password", "Vt7-kq2-Zp9x", exits=1)
    assert "nothing was done" in houqin("demo", "data", "--password", "Vt7-kq2-Zp9x", "--if-empty")
    assert "doors" in houqin("qr", "sheet", "--building", "d12", "-o", "d12.pdf")
    assert (tmp_path / "d12.pdf").read_bytes().startswith(b"%PDF-")
    assert "没有这个地点" in houqin("qr", "sheet", "--building", "D999", "-o", "x.pdf", exits=1)
    assert not (tmp_path / "x.pdf").exists()


def test_a_changed_audit_line_does_not_pass_the_proof(houqin):
    houqin("demo", "data", "--students", "20", "--tickets", "0", "--password", "Vt7-kq2-Zp9x")
    run(lambda s: seal(s))
    assert "sealed lines hold, 0 not sealed yet" in houqin("audit", "prove")
    run(lambda s: s.execute(sa.update(AuditLine).where(AuditLine.seq == 2).values(about="person:nobody")))
    assert "line 2 was changed" in houqin("audit", "prove", exits=1)
