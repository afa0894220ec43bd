"""Presets, seeds, threads."""

import random

import numpy as np
import pytest
import torch

from course_lib import device


def test_setup_repeats_every_random_number():
    draws = []
    for _ in range(2):
        machine = device.setup(seed=7)
        draws.append((torch.rand(2).tolist(), np.random.rand(), random.random()))
    assert draws[0] == draws[1]
    assert torch.get_num_threads() == 1 and "PyTorch" in machine


def test_presets(monkeypatch):
    monkeypatch.delenv("COURSE_PRESET")
    assert device.preset() == ("gpu" if torch.cuda.is_available() else "laptop")
    monkeypatch.setenv("COURSE_PRESET", "smoke")
    assert (device.pick(laptop=9), device.pick(laptop=9, smoke=1), device.pick(laptop=9, smoke=0)) == (9, 1, 0)
    monkeypatch.setenv("COURSE_PRESET", "giant")
    with pytest.raises(ValueError, match="laptop, gpu, smoke"):
        device.preset()


def test_generators_are_seeded():
    first, again = (torch.rand(3, generator=device.generator(5), device=device.default_device()) for _ in range(2))
    assert torch.equal(first, again)
