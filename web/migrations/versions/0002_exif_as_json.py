"""Tags are kept as they came (`json`): nothing queries inside them, and parsing them was a third of their writing."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE photo_exif ALTER COLUMN exif TYPE json USING exif::json")


def downgrade() -> None:
    op.execute("ALTER TABLE photo_exif ALTER COLUMN exif TYPE jsonb USING exif::jsonb")
