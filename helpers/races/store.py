"""Where the results of a race are kept, so that whoever is interrupted loses the runs in flight and no other."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .results import Result
from .trial import Trial

__all__ = ["Store"]


class Store:
    """Results by trial: in a folder, one file a trial, each written whole or not at all; without a folder in memory.

    Parameters
    ----------
    folder : path, optional
        Made when it is not there.

    Examples
    --------
    >>> from helpers.races.trial import Task
    >>> from helpers.schedules import constant
    >>> Store().get(Trial(Task("digits"), constant(0.1), updates=5, seed=0)) is None
    True
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = None if folder is None else Path(folder)
        self._memory: dict[str, Result] = {}
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def get(self, trial: Trial) -> Result | None:
        """The result of ``trial``, or None. A file that holds no result of it is set aside, and None returned."""
        if trial.key in self._memory or self.folder is None:
            return self._memory.get(trial.key)
        path = self.folder / f"{trial.key}.json"
        try:
            kept = json.loads(path.read_text("utf-8"))
            if kept["specification"] != json.loads(json.dumps(trial.specification)):
                raise ValueError("another specification")
            result = Result.from_dict(kept["result"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            path.replace(path.with_suffix(".broken"))
            return None
        return self._memory.setdefault(trial.key, result)

    def put(self, trial: Trial, result: Result) -> None:
        """Keep ``result``, in memory and, atomically, in the folder."""
        self._memory[trial.key] = result
        if self.folder is not None:
            path = self.folder / f"{trial.key}.json"
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            part.write_text(
                json.dumps({"specification": trial.specification, "result": result.to_dict()}, indent=1), "utf-8"
            )
            os.replace(part, path)
