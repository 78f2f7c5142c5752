#!/usr/bin/env bash
# deploy/backup.sh CONFIG TARGET: the database and the photos, into TARGET/YYYYmmdd-HHMMSS, while the service runs.
# The database comes first: a photo is stored before anything refers to it, so every photo the dump names is in the second part.
# The configuration is not in it. Keep it elsewhere: without [server] data_keys no phone number in the backup can be read.
set -euo pipefail
umask 077
config=$(realpath "${1:?usage: backup.sh CONFIG TARGET}"); target=${2:?usage: backup.sh CONFIG TARGET}
cd "$(dirname "$0")/.."
source deploy/store.sh

out=$target/$(date +%Y%m%d-%H%M%S); part=$out.part
mkdir -p "$part"
query "SELECT version_num FROM alembic_version" > "$part/revision"
# the end of the audit chain: a copy that has lost it is told apart, which the chain alone cannot do
query "SELECT seq, hash FROM audit_line WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1" > "$part/audit-head"
"$dump" --defaults-extra-file="$client" --single-transaction --quick --skip-lock-tables --no-tablespaces \
    --hex-blob --default-character-set=utf8mb4 "$database" | gzip -6 > "$part/database.sql.gz"
if [ -n "$files" ]; then
    if [ -d "$files" ]; then tar -C "$files" -cf "$part/files.tar" .; fi
else
    echo "photos are in a bucket: let the bucket keep versions, they are not part of this backup" >&2
fi
(cd "$part" && sha256sum -- * > SHA256SUMS)
mv "$part" "$out"
du -sh "$out"
