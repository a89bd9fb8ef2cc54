"""Reports that are listed without reading their scores: who was asked, how many cases, how many errors."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reports", sa.Column("target", sa.Text, nullable=False, server_default=""))
    op.add_column("reports", sa.Column("cases", sa.Integer, nullable=False, server_default="0"))
    op.add_column("reports", sa.Column("errors", sa.Integer, nullable=False, server_default="0"))
    names = ("id", "target", "cases", "errors")
    reports = sa.table("reports", *map(sa.column, names), sa.column("rows", sa.JSON))
    connection = op.get_bind()
    for id_ in connection.execute(sa.select(reports.c.id)).scalars().all():
        # one at a time: of a large suite each has 100 MB
        held = connection.execute(sa.select(reports.c.rows).where(reports.c.id == id_)).scalar_one()
        errors = sum(bool(row["error"]) for row in held["scored"])
        told = {"target": held["target"], "cases": len(held["cases"]), "errors": errors}
        connection.execute(sa.update(reports).where(reports.c.id == id_).values(**told))
