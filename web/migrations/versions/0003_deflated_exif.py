"""Tags lie in the database as the consumer deflated them: a third of the log and of the disk."""

from __future__ import annotations

from alembic import op

from contracts.exif import deflate_exif

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CHUNK = 1000


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql("ALTER TABLE photo_exif ADD COLUMN deflated bytea NOT NULL DEFAULT ''")
    # Compressing what is compressed costs time and gains nothing.
    connection.exec_driver_sql("ALTER TABLE photo_exif ALTER COLUMN deflated SET STORAGE EXTERNAL")
    last = 0
    while rows := connection.exec_driver_sql(
        f"SELECT photo_id, exif FROM photo_exif WHERE photo_id > {last} ORDER BY photo_id LIMIT {_CHUNK}"
    ).all():
        last = rows[-1].photo_id
        connection.exec_driver_sql(
            "UPDATE photo_exif SET deflated = $2 WHERE photo_id = $1",
            [(row.photo_id, deflate_exif(row.exif)) for row in rows],
        )
    connection.exec_driver_sql("ALTER TABLE photo_exif DROP COLUMN exif")
    connection.exec_driver_sql("ALTER TABLE photo_exif RENAME COLUMN deflated TO exif")
    connection.exec_driver_sql("ALTER TABLE photo_exif ALTER COLUMN exif DROP DEFAULT")


def downgrade() -> None:
    raise NotImplementedError("The tags are not taken back; restore a backup instead.")
