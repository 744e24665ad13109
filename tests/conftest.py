"""Libraries read their environment when they are imported, so it is set before any test is."""

from ddl_train.cli.environment import set_up

set_up()
