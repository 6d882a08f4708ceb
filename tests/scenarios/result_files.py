"""Made-up results with the groups of real ones, for the tests of figures, words and reports."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np

from learning.oracle.ledger.vectors import TERMS
from scenarios.results.store import Group, ResultData, Variable
from scenarios.results.variables import complete_groups

LAYERS = ("l1", "l2", "out")
SCHEMES = ("centred, beta 0.05", "circle 4, beta 0.05")
HEAD = {"title": "made-up", "software": "nudgelab 0.1.0", "created": "2026-01-01T00:00:00+00:00", "id": "01234567"}


def result(groups: dict[str, Group], **attributes: str | int) -> ResultData:
    """Return a result as `store.read_result_file` would."""
    return ResultData({**HEAD, "status": "complete", **attributes}, complete_groups(groups))


def find_nameless(result: ResultData) -> list[str]:
    """Return the variables of a result, of whatever kind, that do not say what they are or in which unit."""
    return [
        f"{path}/{name}"
        for path, group in result.groups.items()
        for name, variable in group.items()
        if not (variable.long_name and variable.units)
    ]


def metrics(epochs: int, layers: tuple[str, ...] = LAYERS, floor: float = 0.12, pairs: bool = True) -> Group:
    """Return `/metrics` of a training whose error falls towards `floor`."""
    epoch = np.arange(epochs + 1)
    fall = np.exp(-epoch / 3.0)
    first = np.where(epoch == 0, np.nan, 1.0)
    group = {
        "epoch": Variable(("epoch",), epoch),
        "layer": Variable(("layer",), np.array(layers)),
        "loss_train": Variable(("epoch",), first * (0.3 + 2.0 * fall)),
        "error_train": Variable(("epoch",), first * (0.8 * floor + 0.7 * fall)),
        "loss_test": Variable(("epoch",), 0.4 + 1.9 * fall),
        "error_test": Variable(("epoch",), floor + 0.75 * fall),
        "unsettled_train": Variable(("epoch",), first * 0.01),
        "unsettled_test": Variable(("epoch",), 0.0 * fall),
        "saturation": Variable(("epoch", "layer"), np.outer(1.0 - fall, np.linspace(0.02, 0.2, len(layers)))),
        "symmetry_couplings": Variable(("epoch",), 0.9 - 0.2 * (1.0 - fall)),
        "symmetry_reference": Variable(("epoch",), 0.97 - 0.05 * (1.0 - fall)),
        "homeostasis_loss": Variable(("epoch",), 0.01 + 0.5 * fall),
        **{name: Variable(("epoch",), 1_200_000 * epoch) for name in ("settlings", "reads")},
        "settled_time": Variable(("epoch",), 3.6e7 * epoch, "tau"),
        "writes": Variable(("epoch",), 40 * epoch),
        "wall_s": Variable(("epoch",), 12.5 * (epoch > 0), "s"),
    }
    if pairs:
        names = [f"{a}-{b} / {b}-{a}" for a, b in pairwise(layers)]
        angle = 5.7 + np.outer(1.0 - fall, 20.0 + 10.0 * np.arange(len(names)))
        group |= {
            "pair": Variable(("pair",), np.array(names)),
            "angle_weights": Variable(("epoch", "pair"), angle, "degree"),
        }
    return group


def measured(layers: tuple[str, ...] = LAYERS, schemes: tuple[str, ...] = SCHEMES) -> dict[str, Group]:
    """Return the groups of a measure that figures and words are made from."""
    depth = np.arange(len(layers), 0, -1.0)
    s = np.arange(1.0, len(schemes) + 1.0)
    cosine = 1.0 - 0.01 * np.outer(1.0 / s, depth)
    beta = np.array([float(text.rpartition(" ")[2]) for text in schemes])
    relative = np.zeros((len(schemes), len(layers), len(TERMS)))
    relative[..., [TERMS.index(term) for term in ("asymmetry", "finite_nudge", "settling")]] = np.stack(
        [np.outer(0.0 * s + 0.1, depth), np.outer(0.03 / s, depth), np.outer(1e-6 / s, depth)], axis=2
    )
    axes: Group = {"scheme": Variable(("scheme",), np.array(schemes)), "layer": Variable(("layer",), np.array(layers))}
    both = ("scheme", "layer")
    return {
        "signal": {
            **axes,
            "beta": Variable(("scheme",), beta),
            "activity": Variable(("layer",), 0.2 + 0.1 * depth),
            "delta": Variable(("layer",), 0.3 * 0.4**depth),
            "evoked": Variable(both, np.outer(beta, 0.3 * 0.4**depth)),
        },
        "gradient": {
            **axes,
            "cosine": Variable(both, cosine),
            "cosine_std": Variable(both, 0.3 * (1.0 - cosine)),
            "norm_ratio": Variable(both, 2.0 - cosine),
            "cosine_ep": Variable(("layer",), 1.0 - 0.004 * depth),
            "cosine_first_order": Variable(("layer",), 1.0 - 0.0045 * depth),
            "cosine_matching_rule": Variable(("layer",), 1.0 - 0.005 * depth),
            "symmetry_couplings": Variable((), 0.9),
            "symmetry_reference": Variable((), 0.97),
            "status": Variable(("scheme", "sample"), np.zeros((len(schemes), 4), dtype=np.int8)),
            "kept": Variable(("scheme", "sample"), np.ones((len(schemes), 4), dtype=bool)),
        },
        "ledger": axes | _ledger(cosine, relative),
    }


def _ledger(cosine: np.ndarray, relative: np.ndarray) -> Group:
    """Return the figures of a ledger whose terms have the given sizes; nothing is random in it."""
    both, terms, nothing = ("scheme", "layer"), ("scheme", "layer", "term"), 0.0 * cosine
    return {
        "term": Variable(("term",), np.array(TERMS)),
        "relative": Variable(terms, relative),
        "median": Variable(terms, 0.5 * relative),
        **dict.fromkeys(("spread", "spread_median"), Variable(terms, 0.0 * relative)),
        "rms": Variable(terms, 0.02 * relative),
        "constant": Variable(terms, 0.0 * relative),
        "standard_error": Variable(terms, 0.0 * relative),
        "cosine_after": Variable(terms, 1.0 - 0.5 * np.cumsum(relative, axis=2) ** 2),
        **{name: Variable(both, nothing) for name in ("variance", "dithered", "dithered_median")},
        "total": Variable(both, np.sqrt((relative**2).sum(axis=2))),
        "total_median": Variable(both, 0.5 * np.sqrt((relative**2).sum(axis=2))),
        "dead": Variable(both, np.zeros(cosine.shape, dtype=np.int64)),
        "asymmetry_programmed": Variable(("layer",), nothing[0]),
        "unsettled": Variable(("scheme",), np.zeros(len(cosine), dtype=np.int64)),
    }


def over_epochs(groups: dict[str, Group], epochs: list[int]) -> dict[str, Group]:
    """Return measured groups with a leading epoch dimension; the cosine falls a little every time."""
    fixed = {"scheme", "layer", "term", "beta"}
    fall = 0.98 ** np.arange(len(epochs))
    return {
        path: {
            "epoch": Variable(("epoch",), np.array(epochs)),
            **{
                name: v if name in fixed else v._replace(dims=("epoch", *v.dims), data=_repeated(name, v.data, fall))
                for name, v in group.items()
                if name not in ("status", "kept")
            },
        }
        for path, group in groups.items()
    }


def _repeated(name: str, data: np.ndarray, fall: np.ndarray) -> np.ndarray:
    factors = fall if name.startswith("cosine") else np.ones(len(fall), dtype=np.asarray(data).dtype)
    return np.multiply.outer(factors, data)


def provenance(scenario: str = 'name = "made-up"\n') -> Group:
    """Return `/provenance`."""
    texts = {
        "scenario_toml": scenario,
        "resolved_toml": scenario + "seed = 0\n",
        "arguments": json.dumps(["nudgelab", "run", "made-up.toml"]),
        "environment_json": json.dumps({"python": "3.11.2", "numpy": "2.4.6"}),
        "data_sha256": 64 * "a",
        "git_commit": "",
    }
    return {name: Variable((), text) for name, text in texts.items()}


def trained(epochs: int = 10, exact: bool = False, **attributes: str | int) -> ResultData:
    """Return a training that was measured at every second epoch."""
    groups = {"metrics": metrics(epochs), **over_epochs(measured(schemes=SCHEMES[:1]), list(range(0, epochs + 1, 2)))}
    if exact:
        groups["metrics_exact"] = metrics(epochs, floor=0.10)
    return result({**groups, "provenance": provenance()}, **attributes)


def evaluated() -> ResultData:
    """Return the accuracy of one set of weights over four chips."""
    group = {
        "chip": Variable(("chip",), np.array([0, 1, 2, 7])),
        "loss": Variable(("chip",), [0.5, 0.6, 0.55, 0.9]),
        "error": Variable(("chip",), [0.10, 0.12, 0.11, 0.19]),
        "unsettled": Variable(("chip",), [0.0, 0.0, 0.01, 0.0]),
    }
    return result({"evaluate": group, "provenance": provenance()})


BETAS = np.array([0.1, 0.2, 0.4])
KINDS = ("one-sided", "centred", "circle 4")


def nudges(asymmetry: float = 0.02, best: int = 4) -> Group:
    """Return `/nudge` of three schemes at three sizes: bias of orders 1, 2 and 4, noise as 1/beta; l1 is the worst."""
    order = np.repeat([1, 2, 4], 3)
    beta = np.tile(BETAS, 3)
    share = np.array([1.0, 0.5])
    bias, variance = np.outer(asymmetry**2 + beta ** (2 * order), share), np.outer(1e-3 / beta**2, share)
    both = ("scheme", "layer")
    names = np.array([f"{kind}, beta {size:g}" for kind in KINDS for size in BETAS])
    each = np.ones(9, dtype=np.int64)
    return {
        "scheme": Variable(("scheme",), names),
        "layer": Variable(("layer",), np.array(["l1", "out"])),
        "order": Variable(("scheme",), order),
        "beta": Variable(("scheme",), beta),
        "averaged": Variable(("scheme",), 7 * each),
        "settlings": Variable(("scheme",), np.repeat([2, 3, 5], 3)),
        "reads": Variable(("scheme",), np.repeat([2, 3, 7], 3)),
        "gain": Variable(("scheme",), np.repeat([2.0, 0.5, 0.25], 3)),
        "bias": Variable(both, bias),
        "bias_error": Variable(both, 0.01 * bias),
        "variance": Variable(both, variance),
        "mse": Variable(both, bias + variance),
        "cosine": Variable(both, 1.0 - 0.5 * (bias + variance)),
        "asymmetry": Variable(("layer",), asymmetry**2 * share),
        "kept": Variable(("sample",), np.array([True, True, True, False])),
        "best": Variable((), best),
        "answer": Variable((), "Best nudge: centred, beta 0.2, mean of 7 estimates."),
    }
