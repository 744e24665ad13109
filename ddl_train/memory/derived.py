"""What the samplers know of the log: read from SQLite once, and then as it comes."""

import sqlite3

from ddl_train.memory.origins import Origins
from ddl_train.memory.space import Lineages
from ddl_train.memory.yields import Yields


class Derived:
    """Made anew when something is forgotten."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.lineages = Lineages(connection)
        self.yields = Yields(connection)
        self.origins = Origins(connection)
