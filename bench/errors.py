"""The one exception that stands for bad input: its text is the whole message, and no traceback is shown."""


class InputError(Exception):
    """Bad input. The message says in one sentence what was given, what was needed and what to do."""
