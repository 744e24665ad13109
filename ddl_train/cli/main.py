"""Entry point of `ddl-train`, which can be stopped from its first moment on.

What takes time to import is imported when the handlers for that are in place.
"""

from ddl_train.cli.ending import ending


def main() -> None:
    """Run the command that the arguments name."""
    with ending():
        from ddl_train.cli import environment
        from ddl_train.cli.app import app
        from ddl_train.cli.boundary import Boundary

        environment.set_up()
        with Boundary():
            app(prog_name="ddl-train")
