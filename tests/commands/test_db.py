"""`houqin db …` as an administrator types it."""

from click.testing import CliRunner

from commands import main
from tests.commands.test_people import CONFIG


def test_a_database_that_does_not_answer_is_said_in_one_line(tmp_path):
    config = tmp_path / "houqin.toml"
    config.write_text(CONFIG.replace("sqlite:///{path}", "mysql+pymysql://nobody@127.0.0.1:1/nothing"), "utf-8")
    for word in ("check", "upgrade"):
        done = CliRunner().invoke(main, ["--config", str(config), "db", word])
        assert done.exit_code == 1
        assert done.output.startswith("Error: the database does not answer")
        assert done.output.count("\n") == 1


def test_upgrade_makes_the_tables_check_knows_and_downgrade_asks_first(tmp_path):
    config = tmp_path / "houqin.toml"
    config.write_text(CONFIG.format(path=tmp_path / "houqin.db"), "utf-8")

    def houqin(*words, types=None):
        return CliRunner().invoke(main, ["--config", str(config), "db", *words], input=types)

    assert houqin("check").exit_code == 1
    assert houqin("upgrade").exit_code == 0
    assert houqin("check").exit_code == 0
    assert houqin("downgrade", "base", types="n\n").exit_code == 1
    assert houqin("check").exit_code == 0
    assert houqin("downgrade", "base", "--yes").exit_code == 0
    assert houqin("check").exit_code == 1
