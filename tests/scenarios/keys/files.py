"""Every file that samples of keys name."""

from __future__ import annotations

import gzip
import shutil
import struct
from pathlib import Path

import numpy as np

from ..data.images.picture_files import write_cifar, write_cifar_100, write_imagenet
from ..schema.generated_scenarios import write_files


def write_all(folder: Path) -> None:
    """Write the files into a folder."""
    write_files(folder)
    rng = np.random.default_rng(1)
    arrays = {"x": rng.random((6, 3)), "x_test": rng.random((4, 3))}
    np.savez(folder / "other.npz", **arrays, y=np.arange(6) % 2, y_test=np.arange(4) % 2)
    np.savez(folder / "steps.npz", **{"weight/in-l1/step_up": np.full((3, 4), 0.1)})
    np.savez(folder / "board.npz", adc_scale=np.full(6, 2e-5), **{"stuck/bias/l1": np.ones(4, dtype=bool)})
    shutil.copy(folder / "data.npz", folder / "same.npz")
    states = np.linspace(-1.0, 2.0, 13)
    np.savetxt(folder / "other.csv", np.stack([states, 0.5 * np.tanh(states)], axis=1), delimiter=",")
    targets = rng.normal(size=40) * 0.5
    cells = np.stack([targets, targets + 0.05 * rng.normal(size=40)], axis=1)
    np.savetxt(folder / "cells.csv", cells, delimiter=",", header="target,measured", comments="")
    preset = '# Noise\n[sources.fit]\npaper = "x"\nplace = "x"\nrange = "x"\nspread = "x"\n[noise]\n'
    (folder / "noise.toml").write_text(f'{preset}read = {{ value = 0.02, unit = "activity", source = "fit" }}\n')
    for name in ("idx", "idx2"):
        write_idx(folder / name, rng)
    for seed, name in enumerate(("cifar", "cifar2")):
        write_cifar(folder / name, seed=seed)
        write_cifar_100(folder / name, seed=seed)
        write_imagenet(folder / name, seed=seed)


def write_idx(folder: Path, rng: np.random.Generator) -> None:
    """Write a small folder of IDX files: images of 2 x 2 pixels in ten classes."""
    folder.mkdir()
    for part, count in (("train", 6), ("t10k", 4)):
        images = rng.integers(0, 256, size=(count, 2, 2)).astype(np.uint8)
        labels = rng.integers(0, 10, size=count).astype(np.uint8)
        with gzip.open(folder / f"{part}-images-idx3-ubyte.gz", "wb") as file:
            file.write(struct.pack(">IIII", 2051, count, 2, 2) + images.tobytes())
        with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(struct.pack(">II", 2049, count) + labels.tobytes())
