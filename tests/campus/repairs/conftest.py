import pytest

from core.db import Database
from tests.campus.repairs.kit import Office, open_office


@pytest.fixture
def office(db: Database) -> Office:
    """The repair office on SQLite."""
    return open_office()


@pytest.fixture
def either_office(either_db: Database) -> Office:
    """The repair office on SQLite and on MariaDB."""
    return open_office()


@pytest.fixture
def race_office(mariadb: Database) -> Office:
    """The repair office on MariaDB; mark such tests `race`."""
    return open_office()
