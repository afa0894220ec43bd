"""Real images from files: MNIST, Fashion-MNIST, MedMNIST (downloaded once, checked), a folder, or two folders A and B."""

import gzip
import json
import math
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from tqdm.auto import tqdm

from course_lib.data import digits
from course_lib.data.digits import Images
from course_lib.device import default_device, headless


class DataError(ValueError):
    """A file that is missing, damaged, out of reach, or not what it should be; the message says what to do."""


# name -> mirrors in the order they are tried ({} for the file's name), the MD5 of every file, origin, and licence
SOURCES = json.loads(Path(__file__).with_name("sources.json").read_text(encoding="utf-8"))
IDX = {s: (f"{f}-images-idx3-ubyte.gz", f"{f}-labels-idx1-ubyte.gz") for s, f in (("train", "train"), ("test", "t10k"))}
SIDE = 28
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm")
HELD_OUT = 5  # a folder without splits keeps every fifth image for the test


def images(source: str | Path, size: int = SIDE, split: str = "train", grey: bool = True) -> Images:
    """Images x (N, 1, size, size) in [-1, 1] with labels y (N,), of "digits", a name in SOURCES, or a folder.

    Downloads go once into the folder COURSE_DATA, or the user's cache; files put there by hand are taken if their
    checksum is right. Other sizes than the file's are interpolated. Splits are train and test, with MedMNIST val too.
    Colour becomes grey (0.299 R + 0.587 G + 0.114 B) unless grey=False, which keeps it as (N, 3, size, size).
    A folder: its subfolder `split` where there is one, else every fifth image is the test; labels number the
    subfolders. ChestMNIST has 14 labels per image, y (N, 14). DataError, in a sentence, where something is wrong.
    """
    if source == "digits":
        return digits.load(size, split)
    if source in SOURCES:
        pixels, labels = (_read_npz if f"{source}.npz" in SOURCES[source]["md5"] else _read_idx)(source, split)
        if pixels.shape[1:3] != (SIDE, SIDE) or pixels.shape[3:] not in ((), (3,)) or len(pixels) != len(labels):
            raise DataError(f"{source} should hold images of {SIDE} x {SIDE}, one per label: {pixels.shape}, {labels.shape}.")
    elif Path(source).is_dir():
        pixels, labels = _read_folder(Path(source), size, split, grey)
    else:
        raise DataError(f"{str(source)!r} is no folder here, and none of digits, {', '.join(SOURCES)}.")
    x = torch.cat([_scale(part, size, grey) for part in torch.from_numpy(pixels).split(4096)])
    return Images(x.to(default_device()), torch.from_numpy(labels.astype(np.int64)).to(default_device()))


def two_folders(path: str | Path, size: int = 64, split: str = "train", grey: bool = True) -> tuple[Tensor, Tensor]:
    """Unpaired images A and B, (N, 1, size, size) and (M, 1, size, size) in [-1, 1], of the folders trainA and trainB in `path`.

    As CycleGAN's data sets such as horse2zebra lie on disk (Zhu et al. 2017); split "test" reads testA and testB.
    """
    sides = [Path(path) / f"{split}{side}" for side in "AB"]
    if not all(side.is_dir() for side in sides):
        raise DataError(f"{path} should hold the folders {sides[0].name} and {sides[1].name}, and does not.")
    return tuple(images(side, size, "all", grey).x for side in sides)


def _scale(pixels: Tensor, size: int, grey: bool) -> Tensor:
    """Bytes (N, H, W) or (N, H, W, 3) -> (N, C, size, size) in [-1, 1]."""
    x = (pixels[..., None] if pixels.ndim == 3 else pixels).movedim(-1, 1).float()
    if grey and x.shape[1] == 3:
        x = (x * x.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
    if x.shape[-1] != size:
        x = interpolate(x, size=(size, size), mode="bilinear", antialias=True)
    return x / 127.5 - 1


# Downloads


def _download(url: str, part: Path, target: str) -> None:
    """Fetch `url` into `part`, going on where an earlier try stopped; once whole, move it to `target`."""
    import requests

    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=20) as answer:
        if answer.status_code == 416:
            part.unlink()  # as long as the file, or longer, and not whole: the next try begins anew
        answer.raise_for_status()
        have = have if answer.status_code == 206 else 0
        bar = {"total": have + int(answer.headers.get("Content-Length", 0)), "initial": have, "desc": part.stem}
        with open(part, "ab" if have else "wb") as file, tqdm(**bar, unit="B", unit_scale=True, disable=headless()) as shown:
            for block in answer.iter_content(1 << 13):  # a body that ends early raises; all but its last block is kept
                shown.update(file.write(block))
    os.replace(part, target)


def _fetch(name: str, file: str) -> Path:
    """The checked file of a set in the cache, downloaded where it is missing; whole or not at all."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    folder = Path(os.environ.get("COURSE_DATA") or pooch.os_cache("generative-models-course")) / name
    part, troubles = folder / f"{file}.part", []
    if (folder / file).exists():
        troubles.append("the file there is damaged")  # said only if no mirror has a better one
    for mirror in SOURCES[name]["mirrors"]:
        url = mirror.format(file)
        try:
            known = "md5:" + SOURCES[name]["md5"][file]
            return Path(pooch.retrieve(url, known, file, folder, downloader=lambda u, to, _: _download(u, part, to)))
        except (OSError, ValueError) as error:
            troubles.append(f"{url.split('/')[2]}: {_reason(error, part)}")
    advice = f"Try again with a network (it goes on where it stopped), or put the file into {folder} by hand."
    raise DataError(f"{file} of {name} could not be had ({'; '.join(troubles)}). {advice}")


def _reason(error: Exception, part: Path) -> str:
    if not isinstance(error, OSError):
        return "sent a file with another checksum"
    if getattr(error, "response", None) is not None:
        return f"answered {error.response.status_code}"
    if error.errno:  # of this machine's disk, not of the network
        return error.strerror
    return f"stopped after {part.stat().st_size} bytes" if part.exists() else "cannot be reached"


# Formats: every reader returns bytes (N, H, W) or (N, H, W, 3), and labels (N,)


def _read_idx(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    if split not in IDX:
        raise DataError(f"The splits of {name} are train and test, not {split!r}.")
    return tuple(_unpack(_fetch(name, file), axes) for file, axes in zip(IDX[split], (3, 1), strict=True))


def _unpack(path: Path, axes: int) -> np.ndarray:
    """A gzipped IDX file: the bytes 0, 0, 8, and the number of axes; their lengths (big-endian); the values."""
    try:
        raw = gzip.decompress(path.read_bytes())
        shape = struct.unpack_from(f">{axes}I", raw, 4)
    except (OSError, EOFError, struct.error, zlib.error):
        raw, shape = b"", ()
    if raw[:4] != bytes((0, 0, 8, axes)) or len(raw) != 4 + 4 * axes + math.prod(shape):
        raise DataError(f"{path} is no whole IDX file with {axes} axes: delete it and run the cell again.")
    return np.frombuffer(bytearray(raw), np.uint8, offset=4 + 4 * axes).reshape(shape)


def _read_npz(name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    if split not in ("train", "val", "test"):
        raise DataError(f"The splits of {name} are train, val, and test, not {split!r}.")
    path = _fetch(name, f"{name}.npz")
    try:
        with np.load(path) as arrays:
            pixels, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
    except (OSError, EOFError, ValueError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no MedMNIST file: delete it and run the cell again.") from error
    return pixels, labels[:, 0] if labels.shape[1:] == (1,) else labels


def _read_folder(path: Path, size: int, split: str, grey: bool) -> tuple[np.ndarray, np.ndarray]:
    if split not in ("train", "test", "all"):
        raise DataError(f"The splits of a folder are train, test, and all, not {split!r}.")
    root = path / split if (path / split).is_dir() else path
    found = [p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
    found.sort(key=lambda p: [int(t) if t.isdecimal() else t.lower() for t in re.split(r"(\d+)", str(p.relative_to(root)))])
    classes = list(dict.fromkeys(p.parent for p in found))  # before the split, so that both have the same numbers
    if root == path and split != "all":
        found = [p for i, p in enumerate(found) if (i % HELD_OUT == HELD_OUT - 1) == (split == "test")]
    if not found:
        raise DataError(f"There are no images for {split!r} in {root}; they end in {', '.join(SUFFIXES)}.")
    return np.stack([_open(p, size, grey) for p in found]), np.array([classes.index(p.parent) for p in found])


def _open(path: Path, size: int, grey: bool) -> np.ndarray:
    """The central square of an image file, resized: bytes (size, size), or (size, size, 3) in colour."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):  # 16 bits and more: by its own range
                deep = np.asarray(image, dtype=np.float64)
                image = Image.fromarray((255 * (deep - deep.min()) / max(np.ptp(deep), 1e-12)).astype(np.uint8))
            return np.asarray(ImageOps.fit(image.convert("L" if grey else "RGB"), (size, size), Image.Resampling.BILINEAR))
    except Exception as error:  # decoders fail in many ways
        raise DataError(f"{path} cannot be read as an image: delete or replace it.") from error
