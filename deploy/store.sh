# For backup.sh and restore.sh: where CONFIG keeps its data. Sets client, database, files, mysql, dump; defines query.
# The password goes into a file that only we can read, never onto a command line.
client=$(mktemp); trap 'rm -f "$client"' EXIT
mapfile -t store < <(.venv/bin/python - "$config" "$client" <<'PYTHON'
import sys
from pathlib import Path

import sqlalchemy as sa

from core import config as configs

config = configs.load(sys.argv[1])
url = sa.make_url(config.database.url.get_secret_value())
if url.get_backend_name() not in ("mysql", "mariadb"):
    sys.exit("this is for MySQL and MariaDB; an SQLite file is copied with `sqlite3 FILE '.backup COPY'`")
quoted = {"user": url.username, "password": url.password, "host": url.host or "127.0.0.1", "port": url.port or 3306}
lines = [f'{key}="{str(value).replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"' for key, value in quoted.items() if value]
Path(sys.argv[2]).write_text("\n".join(["[client]", *lines, ""]))
kind, _, rest = config.files.url.partition(":")
print(url.database)
print(Path(rest).absolute() if kind == "file" else "")
PYTHON
)
[ "${#store[@]}" = 2 ] || exit 1
database=${store[0]} files=${store[1]}
mysql=$(command -v mariadb || command -v mysql)
dump=$(command -v mariadb-dump || command -v mysqldump)

query() { "$mysql" --defaults-extra-file="$client" --batch --skip-column-names "$database" -e "$1"; }
