"""Head phantoms: how many a second, and how they compare with real anatomy (SynthSeg's label maps, if you have them).

python benchmarks/phantoms.py [HEAD_LABELS.npz]

The file holds `labels` (N, H, W), indices into `freesurfer_ids`, in pixels of 2 mm, made from the label maps that
BBillot/SynthSeg ships. Real slices from the basal ganglia upwards are taken: no cerebellum, brain stem, or eye in them.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from results import machine, store

from course_lib import metrics, setup
from course_lib.data import phantoms

FOLDER = Path(__file__).parent / "results"
FREESURFER = {  # tissue -> FreeSurfer labels; 500 and above are SynthSeg's outside the brain
    "skin": (511, 514),
    "fat": (502, 506, 507, 508, 509, 530),
    "bone": (515,),
    "marrow": (516,),
    "CSF": (24,),
    "grey": (3, 42, 10, 49, 11, 50, 12, 51, 13, 52, 17, 53, 18, 54, 26, 58),
    "white": (2, 41, 28, 60, 85, 25, 57, 30, 62),
    "ventricles": (4, 43, 5, 44, 14, 15, 72),
}
BELOW = (7, 8, 16, 46, 47, 136, 137, 163, 164)  # cerebellum, brain stem, eyes
BORDERS = (("grey", "white"), ("CSF", "grey"), ("CSF", "bone"))
HEADS = 256


def speed(device_threads: int, size: int = 64, rounds: int = 9) -> dict:
    """Heads a second: anatomy alone, and with all seven contrasts through the scanner (median of the rounds)."""
    torch.set_num_threads(device_threads)
    anatomy, whole = [], []
    for seed in range(rounds + 1):
        began = time.perf_counter()
        heads = phantoms.heads(HEADS, size, seed=seed)
        wait()
        middle = time.perf_counter()
        heads.images(*phantoms.PROTOCOLS, seed=seed)
        wait()
        anatomy.append(middle - began)
        whole.append(time.perf_counter() - began)
    torch.set_num_threads(1)
    return {"anatomy": round(HEADS / statistics.median(anatomy[1:])), "all contrasts": round(HEADS / statistics.median(whole[1:]))}


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def real(path: Path) -> torch.Tensor:
    """Tissues (N, 12, 100, 100) of the real slices, 2 mm pixels."""
    stored = np.load(path)
    ids, labels = stored["freesurfer_ids"].astype(int), stored["labels"].astype(int)
    tissue = {label: phantoms.TISSUES.index(name) for name, group in FREESURFER.items() for label in group}
    keep = ~np.isin(ids[labels], BELOW).any((1, 2))
    maps = torch.tensor(np.array([tissue.get(i, 0) for i in ids])[labels[keep]])
    inside = (maps > 0).nonzero()
    fits = []
    for n, one in enumerate(maps):  # the head's box to the middle of a 100-pixel frame
        rows = inside[inside[:, 0] == n, 1:]
        top, left = ((rows.amin(0) + rows.amax(0)) // 2 - 50).tolist()
        padded = torch.nn.functional.pad(one, (50, 50, 50, 50))
        fits.append(padded[top + 50 : top + 150, left + 50 : left + 150])
    return torch.nn.functional.one_hot(torch.stack(fits), len(phantoms.TISSUES)).movedim(-1, 1).float()


def anatomy(tissues: torch.Tensor) -> dict:
    """Tissue shares of the head, border lengths over the root of the head's area, and the spectrum of the T2w signal."""
    head = tissues[:, 1:].sum((1, 2, 3))
    shares = tissues.sum((2, 3)) / head[:, None]
    label = tissues.argmax(1)
    spread = {}
    for pair in BORDERS:
        a, b = (phantoms.TISSUES.index(name) for name in pair)
        sides = [(label[:, 1:], label[:, :-1]), (label[:, :, 1:], label[:, :, :-1])]
        edges = sum((((p == a) & (q == b)) | ((p == b) & (q == a))).sum((1, 2)) for p, q in sides)
        spread[" to ".join(pair)] = summary(edges / head.sqrt())
    signal = phantoms.render(tissues, "T2w")
    frequency, power = metrics.radial_spectrum(signal)
    slope = np.polyfit(frequency.log()[2:40], power.log()[2:40], 1)[0]
    named = {n: summary(shares[:, i]) for i, n in enumerate(phantoms.TISSUES) if n in FREESURFER}
    return {"shares": named, "borders": spread, "spectrum": [round(float(p), 6) for p in power], "spectral slope": round(slope, 2)}


def summary(values: torch.Tensor) -> dict:
    return {"mean": round(values.mean().item(), 4), "sd": round(values.std().item(), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", nargs="?", type=Path, help="npz of real label maps")
    path = parser.parse_args().labels
    setup()
    if torch.cuda.is_available():
        result = {"heads a second, 64 px": {torch.cuda.get_device_name(): speed(1)}}
    else:
        most = min(2, os.cpu_count() or 1)
        result = {"heads a second, 64 px": {f"{n} thread{'s' * (n > 1)}": speed(n) for n in range(1, most + 1)}}
    if path:
        tissues = real(path)
        phantom = phantoms.heads(len(tissues), 100, seed=0, lesions=0)
        result |= {"slices": len(tissues), "real": anatomy(tissues), "phantom": anatomy(phantom.tissues)}
        gap = np.abs(np.log(np.array(result["phantom"]["spectrum"]) / np.array(result["real"]["spectrum"])))
        result["spectrum: mean |log ratio|"] = round(float(gap.mean()), 3)
    where = None if not torch.cuda.is_available() else f"{torch.cuda.get_device_name()}, {machine()}"
    name = "phantoms.json" if path else "phantoms_speed.json"
    store(FOLDER / name, "python benchmarks/phantoms.py" + " HEAD_LABELS.npz" * bool(path), result, where)
    for key in ("heads a second, 64 px", "spectrum: mean |log ratio|"):
        print(key, result.get(key))
    for kind in ("shares", "borders") if path else ():
        for key in result["real"][kind]:
            r, p = result["real"][kind][key], result["phantom"][kind][key]
            print(f"{key:16} real {r['mean']:.3f} ± {r['sd']:.3f}   phantom {p['mean']:.3f} ± {p['sd']:.3f}")
    print("slope", *(result[k]["spectral slope"] for k in ("real", "phantom") if k in result))


if __name__ == "__main__":
    main()
