"""What goes wrong outside the program: bad input, and a machine that gives no place. It is told in one sentence."""

import errno

# Errors of a disk that is full or not to be written to, of files too large for it, and of paths that are not what they
# are taken for.
OF_THE_MACHINE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
}
REMEDY = "free some space or choose a place that can be read and written, and start again: finished work is kept"


class InputError(Exception):
    """Bad input. The message says in one sentence what was given, what was needed and what to do."""


def told(error: BaseException) -> str | None:
    """The sentence for `error`; None for a fault of the program, which shows its traceback."""
    if isinstance(error, InputError):
        return str(error)
    # torch handles the machine's error when it raises one of its own: its file broke off.
    fault = error.__context__ if isinstance(error, RuntimeError) else error
    if isinstance(fault, OSError) and fault.errno in OF_THE_MACHINE:
        return f"{fault.filename or 'a file'} cannot be used ({fault.strerror}); {REMEDY}."
    return None
