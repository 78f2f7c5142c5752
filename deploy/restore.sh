#!/usr/bin/env bash
# deploy/restore.sh CONFIG BACKUP: a backup into the EMPTY database and file store that CONFIG names; then it is proved.
# Exit 0 only when the sums, the tables, the audit chain, its end and every photo that a row names are right.
set -euo pipefail
umask 077
config=$(realpath "${1:?usage: restore.sh CONFIG BACKUP}"); backup=$(realpath "${2:?usage: restore.sh CONFIG BACKUP}")
cd "$(dirname "$0")/.."
source deploy/store.sh
began=$SECONDS

(cd "$backup" && sha256sum --check --quiet SHA256SUMS)
[ -z "$(query "SHOW TABLES")" ] || { echo "the database $database is not empty; nothing was done" >&2; exit 1; }
[ -z "$files" ] || [ -z "$(ls -A "$files" 2>/dev/null)" ] || { echo "$files is not empty; nothing was done" >&2; exit 1; }

gunzip -c "$backup/database.sql.gz" | "$mysql" --defaults-extra-file="$client" --default-character-set=utf8mb4 "$database"
if [ -n "$files" ] && [ -f "$backup/files.tar" ]; then mkdir -p "$files"; tar -C "$files" -xf "$backup/files.tar"; fi

houqin() { .venv/bin/houqin --config "$config" "$@"; }
if [ "$(query "SELECT version_num FROM alembic_version")" != "$(cat "$backup/revision")" ]; then
    echo "the tables are not those of the backup" >&2; exit 1
fi
houqin db check || echo "the backup is of an older release: run \`houqin db upgrade\` with the service stopped" >&2
houqin audit prove
if [ -s "$backup/audit-head" ]; then
    read -r seq hash < "$backup/audit-head"
    [ "$(query "SELECT COUNT(*) FROM audit_line WHERE seq = $seq AND hash = '$hash'")" = 1 ] \
        || { echo "the end of the audit chain (line $seq) is missing" >&2; exit 1; }
fi
lost=0
if [ -n "$files" ]; then
    while read -r no; do
        [ -z "$no" ] || compgen -G "$files/${no:2:6}/$no*" > /dev/null || { echo "photo $no is missing" >&2; lost=$((lost + 1)); }
    done < <(query "SELECT no FROM stored_file WHERE referred_at IS NOT NULL AND removed_at IS NULL")
fi
[ "$lost" = 0 ]
echo "restored and proved in $((SECONDS - began)) s"
