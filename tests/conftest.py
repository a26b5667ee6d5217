"""Settings shared by every test: small budget, no progress bars, one thread (two frameworks on two cores)."""

import os

os.environ.setdefault("COURSE_BUDGET", "smoke")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

# The same examples every time, so that a learner's machine never fails by chance.
# To search for new ones: HYPOTHESIS_EXAMPLES=2000 HYPOTHESIS_RANDOM=1 python -m pytest tests
settings.register_profile(
    "course",
    deadline=None,
    derandomize="HYPOTHESIS_RANDOM" not in os.environ,
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "60")),
)
settings.load_profile("course")
