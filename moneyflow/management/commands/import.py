"""`manage.py import FILE …`: the same as `restore_archive`, by the name that goes with `export`."""

from moneyflow.management.commands.restore_archive import Command

__all__ = ["Command"]
