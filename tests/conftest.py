"""For all tests and the processes that they start: one thread, as a second costs small tensors more than it gives."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, hence here
