"""MNIST and CIFAR-10 where they can be had, real handwritten digits from scikit-learn where they cannot; and text.

`load(name)` looks in the data folder, then downloads, then falls back to the embedded default, and says which. Text is
source code of the Python standard library that runs the course: nothing to download, nothing to carry.
From a shell, for whoever carries the data into a room without a network:

    python -m helpers.data fetch             download both data sets into the data folder
    python -m helpers.data check             what is in the data folder, and is it sound?
    python -m helpers.data pack FOLDER       copy sound data sets to FOLDER, for COURSE_DATA=FOLDER elsewhere
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.client
import io
import os
import pickle
import platform
import shutil
import sys
import sysconfig
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import platformdirs
from numpy.typing import NDArray
from tqdm import tqdm

__all__ = ["ALPHABET", "Dataset", "DatasetError", "folder", "load", "to_symbols", "to_text"]

CONTACT_SECONDS, STALL_SECONDS = 5.0, 15.0  # how long to wait for a first answer, and for the next piece
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
SHAPES = {"mnist": (60_000, 10_000, (28, 28)), "cifar10": (50_000, 10_000, (32, 32, 3))}
HOSTS = {
    "mnist": "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "cifar10": "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
}
SHA256 = {  # of the files there
    "mnist": "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    "cifar10": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
}
TITLES = {"mnist": "MNIST", "cifar10": "CIFAR-10"}
STAND_IN = {"mnist": "digits", "cifar10": "digits_rgb"}
EMBEDDED = (*STAND_IN.values(), "stdlib_text")
ALPHABET = "\t\n" + "".join(map(chr, range(32, 127)))  # the tab stands for four spaces: an indent is one symbol
# Modules of the standard library, as they have been from Python 3.11 to 3.13 but for a seventh of their lines at most
TEXT_TRAIN = """
_collections_abc _pydecimal _pyio argparse ast asyncio/base_events asyncio/events asyncio/proactor_events
asyncio/sslproto bdb calendar codecs collections/__init__ compileall concurrent/futures/_base contextlib difflib
doctest email/_header_value_parser email/feedparser email/generator email/header email/headerregistry email/message
ftplib functools http/client http/cookiejar http/server imaplib ipaddress logging/__init__ logging/handlers mailbox
mimetypes modulefinder multiprocessing/managers multiprocessing/pool optparse pickle pickletools plistlib pprint
pstats re/_compiler re/_parser socket subprocess tarfile tomllib/_parser trace urllib/parse urllib/request weakref
xml/dom/expatbuilder xml/dom/minidom xml/etree/ElementTree xmlrpc/client xmlrpc/server zoneinfo/_zoneinfo
"""
TEXT_TEST = """
base64 cmd concurrent/futures/thread copyreg email/policy fileinput getopt gettext graphlib heapq html/parser
http/cookies json/decoder json/encoder multiprocessing/queues multiprocessing/util netrc poplib pyclbr runpy sched
shelve shlex smtplib socketserver string textwrap timeit tracemalloc urllib/robotparser wsgiref/handlers
xml/dom/pulldom xml/sax/saxutils zipapp
"""
# SHA-256 over the raw bytes of the four arrays, in the order of ARRAYS -> what they are
KNOWN = {
    "mnist": {"06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16": "MNIST"},
    "cifar10": {"1920d6c521da8b419126f6302a0d32e3db3cc26b1d4584e5b75697a6fec8badf": "CIFAR-10 (JPEG copy)"},
}


class DatasetError(Exception):
    """A data file that is missing, broken or not what its name says; the message is for people."""


@dataclass(frozen=True)
class Dataset:
    """Images and labels, or text and what comes next, with a sentence that says where they come from.

    Attributes
    ----------
    name : str
        What `load` was asked for, or the name of the stand-in that it gave instead.
    x_train, x_test : ndarray of uint8
        Images, of shape (examples, height, width, channels): pixels, 0 to 255. Text, of shape (examples,), or
        (examples, context) after `windows`: symbols, as numbered by ``ALPHABET``.
    y_train, y_test : ndarray of int64, shape (examples,)
        Classes, 0 to 9. Of text the next symbol; or those of a whole window, (examples, context).
    source : str
        Where the data comes from, and how many images there are of a subset.
    """

    name: str
    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]
    source: str

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        height, width, channels = self.x_train.shape[1:]
        return height, width, channels

    @property
    def _kind(self) -> str:
        return "images" if self.x_train.ndim == 4 else "symbols"

    def subset(self, train: int, test: int | None = None) -> Dataset:
        """The first ``train`` training and ``test`` test images (all there are, if fewer); ``source`` says so."""
        if train < 1 or (test is not None and test < 1):
            raise ValueError(f"a subset needs at least one example, got train={train}, test={test}")
        small = replace(
            self,
            x_train=self.x_train[:train],
            y_train=self.y_train[:train],
            x_test=self.x_test[:test],
            y_test=self.y_test[:test],
        )
        if len(small.x_train) == len(self.x_train) and len(small.x_test) == len(self.x_test):
            return self
        return replace(
            small,
            source=f"{self.source}, {len(small.x_train):,} training and {len(small.x_test):,} test {self._kind}",
        )

    def validation(self, examples: int) -> Dataset:
        """Hold the last ``examples`` training images out, in the place of the test set, which must not guide choices.

        Of text so many symbols, before it is cut into `windows`. Raises ``ValueError`` unless that leaves something to
        train on.
        """
        if not 0 < examples < len(self.x_train):
            raise ValueError(f"hold out 1 to {len(self.x_train) - 1} training {self._kind}, got {examples}")
        return replace(
            self,
            x_train=self.x_train[:-examples],
            y_train=self.y_train[:-examples],
            x_test=self.x_train[-examples:],
            y_test=self.y_train[-examples:],
            source=f"{self.source}, {examples:,} training {self._kind} held out",
        )

    def windows(self, context: int, *, test: int = 2048, every: bool = False) -> Dataset:
        """Text as examples for a network: ``context`` symbols, and the one that comes next.

        Parameters
        ----------
        context : int
            How many symbols the network sees.
        test : int
            How many of the held-out windows to keep, evenly spaced over the held-out files.
        every : bool
            Ask for the next symbol after each of the ``context`` symbols, as for a Transformer: y is as long as x.

        Returns
        -------
        Dataset
            One training example for every place in the text. The windows are views: they take no memory.

        Raises
        ------
        ValueError
            For images, and for sizes that the text does not have.

        Examples
        --------
        >>> text = load("stdlib_text")
        >>> seen = text.windows(context=8, test=100)
        >>> seen.x_test.shape, seen.y_test.shape, text.windows(context=64, every=True).y_test.shape
        ((100, 8), (100,), (2048, 64))
        """
        if self.x_train.ndim != 1:
            raise ValueError(f"windows are cut from text, and this is {self.source}")
        most = min(len(self.x_train), len(self.x_test))
        if not 1 <= context <= most or not 1 <= test <= len(self.x_test) - context + 1:
            raise ValueError(f"no {test} test windows of {context} symbols in a text of {most:,}")
        spread = np.linspace(0, len(self.x_test) - context, test).round().astype(int)

        def cut(row: NDArray[Any]) -> NDArray[Any]:
            return np.lib.stride_tricks.sliding_window_view(row, context, writeable=True)

        y_train, y_test = (cut(y) if every else y[context - 1 :] for y in (self.y_train, self.y_test))
        parts = {"x_train": cut(self.x_train), "y_train": y_train, "x_test": cut(self.x_test)[spread]}
        return replace(self, **parts, y_test=y_test[spread])

    def scaling(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and standard deviation of the training pixels, per channel: ``(x - mean) / std`` is standardised.

        Text has none, and gives 0 and 1: symbols are names, not quantities.
        """
        return self._scaling

    def standardiser(self, device: str | None = None) -> Callable[[Any], Any]:
        """A function that makes raw images into network input: float32, mean 0 and deviation 1 over the training set.

        It takes NumPy arrays, or, when a ``device`` is given, PyTorch tensors there; the shape stays. Text it leaves as
        it is.
        """
        if self.x_train.ndim < 4:
            return lambda symbols: symbols
        mean, std = self.scaling()
        if device is None:
            return lambda images: (images.astype(np.float32) - mean) / std
        import torch  # only who has a tensor needs it

        mean_there, std_there = (torch.from_numpy(part).to(device) for part in (mean, std))
        return lambda images: (images.float() - mean_there) / std_there

    @functools.cached_property
    def _scaling(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self.x_train.ndim < 4:
            return np.zeros(1, np.float32), np.ones(1, np.float32)
        # float64 accumulators: a float32 sum over 150 million pixels loses digits
        mean = self.x_train.mean(axis=(0, 1, 2), dtype=np.float64)
        std = self.x_train.std(axis=(0, 1, 2), dtype=np.float64)
        return mean.astype(np.float32), np.maximum(std, 1e-6).astype(np.float32)


def folder() -> Path:
    """The data folder: ``COURSE_DATA`` when set, else one in the user's cache."""
    named = os.environ.get("COURSE_DATA")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("learning-rate-schedules"))


def load(name: str, *, download: bool = True) -> Dataset:
    """Load "mnist", "cifar10", or an embedded set: "digits" (28x28x1), "digits_rgb" (32x32x3), "stdlib_text".

    Looks in the data folder, then downloads into it, then falls back to the embedded default, with a printed line
    for whatever did not go as planned. A broken file is set aside, never used and never overwritten.

    Parameters
    ----------
    name : str
        One of the five.
    download : bool
        Whether it may be downloaded when it is not in the data folder.

    Returns
    -------
    Dataset
        Its ``source`` says which data it really is.

    Raises
    ------
    ValueError
        For another name.
    DatasetError
        For "stdlib_text" where Python comes without its source files.

    Examples
    --------
    >>> digits = load("digits")
    >>> digits.x_train.shape, digits.x_test.shape
    ((1437, 28, 28, 1), (360, 28, 28, 1))
    >>> digits.source
    "scikit-learn's handwritten digits (8x8, enlarged)"
    """
    if name in EMBEDDED:
        return _standard_library() if name == "stdlib_text" else _embedded(name)
    if name not in SHAPES:
        raise ValueError(f"unknown data set {name!r}: choose from {', '.join([*SHAPES, *EMBEDDED])}")
    path = folder() / f"{name}.npz"
    try:
        if path.exists():
            return _read(name, path)
    except DatasetError as problem:
        print(f"{problem}; {_set_aside(path)}")
    try:
        if download:
            fetch(name)
            return _read(name, path)
        reason = f"{path.name} is not in the data folder"
    except DatasetError as problem:
        reason = str(problem)
    stand_in = _embedded(STAND_IN[name])
    print(f"{reason}. Using {stand_in.source} in its place: results are not comparable with {TITLES[name]}.")
    return stand_in


# ------------------------------------------------------------------------------------------ files
def _read(name: str, path: Path) -> Dataset:
    try:
        # opened here, because NumPy leaves a broken file open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in ARRAYS}
            claimed = str(stored["source"]) if "source" in stored else None
            fingerprint = str(stored["fingerprint"]) if "fingerprint" in stored else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"{path.name} cannot be read ({type(error).__name__}: truncated or not a data file)"
        ) from None
    _check_arrays(name, path, arrays)
    found = _fingerprint(arrays)
    if fingerprint not in (None, found) or (name == "mnist" and found not in KNOWN[name]):
        raise DatasetError(f"{path.name} has been changed: its content does not match its fingerprint")
    unknown = f"{TITLES[name]} (copy of unknown origin, {found[:8]})"  # so that two of them are not taken for one
    source = claimed if fingerprint else KNOWN[name].get(found, unknown)
    return _dataset(name, arrays, source or TITLES[name])


def _check_arrays(name: str, path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    train, test, image = SHAPES[name]
    wanted = {"x_train": (train, *image), "y_train": (train,), "x_test": (test, *image), "y_test": (test,)}
    for key, shape in wanted.items():
        array = arrays[key]
        if array.shape != shape or array.dtype.kind not in "ui":
            raise DatasetError(f"{path.name} is not {TITLES[name]}: {key} is {array.dtype}{array.shape}, not {shape}")
    if (
        min(arrays["y_train"].min(), arrays["y_test"].min()) < 0
        or max(arrays["y_train"].max(), arrays["y_test"].max()) > 9
    ):
        raise DatasetError(f"{path.name} is not {TITLES[name]}: labels outside 0 to 9")


def _fingerprint(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for key in ARRAYS:
        digest.update(np.ascontiguousarray(arrays[key], dtype=np.uint8).tobytes())
    return digest.hexdigest()


def _set_aside(path: Path) -> str:
    """Rename a broken file so that it is neither used nor lost; say what was done."""
    for number in range(1, 1000):
        aside = path.with_name(f"{path.name}.broken-{number}")
        if not aside.exists():
            break
    try:
        os.replace(path, aside)
    except OSError as error:
        return f"it could not be moved ({error.strerror}) and is ignored"
    return f"it was set aside as {aside.name}"


def fetch(name: str) -> Path:
    """Download ``name`` into the data folder, whole or not at all. Raises ``DatasetError`` when it cannot be had."""
    url, title, host = HOSTS[name], TITLES[name], HOSTS[name].split("/")[2]
    try:
        # without a network fail within seconds, instead of waiting for TCP to give up
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=CONTACT_SECONDS).close()
        with urllib.request.urlopen(url, timeout=STALL_SECONDS) as answer:
            size = int(answer.headers["Content-Length"] or 0)
            with tqdm.wrapattr(answer, "read", total=size, desc=f"downloading {title}") as pieces:
                content = b"".join(iter(lambda: pieces.read(1 << 20), b""))
    except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: an answer that is no HTTP
        raise DatasetError(f"{title} could not be fetched from {host} ({getattr(error, 'reason', error)})") from None
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise DatasetError(f"what {host} sent is not {title}: its checksum differs")
    file = io.BytesIO(content)
    return _write(name, dict(np.load(file)) if name == "mnist" else _cifar10(file), title)


def _cifar10(archive: IO[bytes]) -> dict[str, NDArray[Any]]:
    """The arrays of the archive "for Python". It holds pickles, which may run code: look at its checksum first."""
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    with tarfile.open(fileobj=archive) as tar:
        files = [tar.extractfile(f"cifar-10-batches-py/{name}") for name in names]
        batches = [pickle.load(file, encoding="bytes") for file in files if file]
    x = [batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1) for batch in batches]
    y = [np.array(batch[b"labels"], np.uint8) for batch in batches]
    return dict(zip(ARRAYS, (np.concatenate(x[:-1]), np.concatenate(y[:-1]), x[-1], y[-1]), strict=True))


def _write(name: str, arrays: dict[str, NDArray[Any]], source: str) -> Path:
    path = folder() / f"{name}.npz"
    _check_arrays(name, path, arrays)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{name}-", suffix=".part", delete=False) as part:
            try:
                stamp: dict[str, Any] = {"source": np.array(source), "fingerprint": np.array(_fingerprint(arrays))}
                np.savez_compressed(part, **(arrays | stamp))
                part.close()
                os.replace(part.name, path)
            except BaseException:
                part.close()  # Windows removes no open file
                Path(part.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise DatasetError(f"{path.name} could not be written to the data folder ({error.strerror})") from None
    return path


# --------------------------------------------------------------------------------------- contents
def _dataset(name: str, arrays: dict[str, NDArray[Any]], source: str) -> Dataset:
    x_train, x_test = (arrays[key].astype(np.uint8, copy=False) for key in ("x_train", "x_test"))
    if x_train.ndim == 3:  # grey images come without a channel
        x_train, x_test = x_train[..., np.newaxis], x_test[..., np.newaxis]
    return Dataset(name, x_train, arrays["y_train"].astype(np.int64), x_test, arrays["y_test"].astype(np.int64), source)


def _embedded(name: str) -> Dataset:
    """scikit-learn's 1,797 real 8x8 digits: enlarged to 28x28, or coloured on procedural backgrounds at 32x32."""
    from PIL import Image
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    size = 28 if name == "digits" else 32
    ink = [Image.fromarray((image.reshape(8, 8) * (255 / 16)).astype(np.uint8)) for image in images]
    x = np.stack([np.asarray(image.resize((size, size), Image.Resampling.BICUBIC)) for image in ink])[..., np.newaxis]
    source = "scikit-learn's handwritten digits (8x8, enlarged)"
    if name == "digits_rgb":
        x, source = _coloured(x), "scikit-learn's handwritten digits on coloured backgrounds"
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1437], order[1437:]
    arrays = {"x_train": x[train], "y_train": labels[train], "x_test": x[test], "y_test": labels[test]}
    return _dataset(name, arrays, source)


def _coloured(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blend each digit, in a colour of its own, over a smooth two-colour background."""
    rng = np.random.default_rng(1)
    count, size = ink.shape[:2]
    yy, xx = np.mgrid[0:size, 0:size] / size
    one_each = (count, 1, 1)
    angle, phase, speed = (
        rng.uniform(0, 2 * np.pi, one_each),
        rng.uniform(0, 2 * np.pi, one_each),
        rng.uniform(2, 9, one_each),
    )
    wave = np.sin(speed * (np.cos(angle) * xx + np.sin(angle) * yy) + phase)
    mix = (wave[..., None] + 1) / 2
    one, two, pen = (rng.uniform(0, 255, (count, 1, 1, 3)) for _ in range(3))
    background = mix * one + (1 - mix) * two
    opacity = ink / 255
    return (opacity * pen + (1 - opacity) * background).astype(np.uint8)


# ------------------------------------------------------------------------------------------- text
def to_symbols(text: str) -> NDArray[np.uint8]:
    r"""Text as numbers, one a symbol; what ``ALPHABET`` does not have is left out.

    >>> to_symbols("a é\n    b").tolist()
    [67, 2, 1, 0, 68]
    """
    numbers = bytes(max(ALPHABET.find(chr(code)), 0) for code in range(256))
    unknown = bytes(code for code in range(128) if chr(code) not in ALPHABET)
    raw = text.encode("ascii", "ignore").replace(b" " * 4, b"\t").translate(numbers, delete=unknown)
    return np.frombuffer(bytearray(raw), np.uint8)  # of a bytearray, to be writeable: PyTorch warns of others


def to_text(symbols: NDArray[Any]) -> str:
    r"""Text of numbers that `to_symbols` gave, or a network.

    >>> to_text(to_symbols("if x:\n    pass"))
    'if x:\n    pass'
    """
    return "".join(ALPHABET[symbol] for symbol in symbols).replace("\t", " " * 4)


def _standard_library() -> Dataset:
    """Modules of the Python that runs this, some of them held out; a module that is not there is left out."""
    library = Path(sysconfig.get_path("stdlib"))
    parts, found = [], 0
    for names in (TEXT_TRAIN, TEXT_TEST):
        paths = [library / f"{name}.py" for name in names.split()]
        texts = [path.read_text("utf-8") for path in paths if path.is_file()]
        parts.append(to_symbols("".join(texts)))
        found += len(texts)
    asked = len(f"{TEXT_TRAIN} {TEXT_TEST}".split())
    if found < 0.9 * asked:
        raise DatasetError(
            f"this Python has {found} of {asked} source files of its standard library where it says they are; "
            "install Python from python.org, conda or your system's packages"
        )
    train, test = parts
    digest = hashlib.sha256(train.tobytes() + b"/" + test.tobytes()).hexdigest()[:8]
    modules = f"{asked}" if found == asked else f"{found} of {asked}"
    source = f"source code of {modules} standard library modules, Python {platform.python_version()} ({digest})"
    nexts = [row[1:].astype(np.int64) for row in (train, test)]
    return Dataset("stdlib_text", train[:-1], nexts[0], test[:-1], nexts[1], source)


# ---------------------------------------------------------------------------------------- command
def _state(name: str) -> tuple[bool, str]:
    path = folder() / f"{name}.npz"
    if not path.exists():
        return False, f"{name}: not in {folder()}"
    try:
        return True, f"{name}: {_read(name, path).source}, sound"
    except DatasetError as problem:
        return False, f"{name}: {problem}"


def _pack(target: Path) -> int:
    sound = [name for name in SHAPES if _state(name)[0]]
    if not sound:
        print(f"nothing to pack: no sound data set in {folder()}")
        return 1
    target.mkdir(parents=True, exist_ok=True)
    for name in sound:
        part = target / f".{name}.part"
        shutil.copyfile(folder() / f"{name}.npz", part)
        os.replace(part, target / f"{name}.npz")
        print(f"{name}: copied to {target}")
    return 0


def _fetch_all() -> int:
    failed = 0
    for name in SHAPES:
        sound, text = _state(name)
        path = folder() / f"{name}.npz"
        try:
            if not sound and path.exists():
                print(f"{text}; {_set_aside(path)}")
            print(text if sound else f"{name}: fetched to {fetch(name)}")
        except DatasetError as problem:
            failed += 1
            print(f"{name}: {problem}")
    return failed


def main(arguments: list[str] | None = None) -> int:
    """Run ``python -m helpers.data``; the exit status counts what is missing."""
    parser = argparse.ArgumentParser(prog="python -m helpers.data", description="The course's data folder.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="download MNIST and CIFAR-10 into the data folder")
    commands.add_parser("check", help="say what is in the data folder")
    commands.add_parser("pack", help="copy sound data sets elsewhere").add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.command == "fetch":
        return _fetch_all()
    if chosen.command == "pack":
        return _pack(chosen.folder)
    states = [_state(name) for name in SHAPES]
    print("\n".join(text for _, text in states))
    return sum(not sound for sound, _ in states)


if __name__ == "__main__":
    sys.exit(main())
