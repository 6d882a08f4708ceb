"""Tests of the four packages."""

import os

# Idle threads of the linear-algebra library wait busily, which can turn a second of small products into a minute
# beside the threads that settle. Set before NumPy is imported; child processes inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
