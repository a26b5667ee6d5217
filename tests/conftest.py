"""Settings shared by every test: small budget, no progress bars, one thread (two frameworks on two cores)."""

import os

os.environ.setdefault("COURSE_BUDGET", "smoke")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

settings.register_profile("course", deadline=None, max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "60")))
settings.load_profile("course")
