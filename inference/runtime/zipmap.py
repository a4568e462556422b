"""Runs models whose probabilities come as lists of dictionaries, and gives plain tensors instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort

from registry.artifacts.signature import Signature
from registry.artifacts.zipmap import as_tensor, zipmap_outputs

Run = Callable[[Sequence[str], dict[str, np.ndarray], ort.RunOptions], Any]


class ZipMapRunner:
    """`run` is `InferenceSession.run`; columns in the ascending order of the labels, as validation found them."""

    def __init__(self, session: ort.InferenceSession, signature: Signature, run: Run) -> None:
        names = zipmap_outputs(session.get_outputs())
        self._n_classes = {spec.name: spec.shape[1] for spec in signature.outputs if spec.name in names}
        self._run = run

    def run(
        self, outputs: Sequence[str], inputs: dict[str, np.ndarray], options: ort.RunOptions
    ) -> Sequence[np.ndarray]:
        answers = self._run(outputs, inputs, options)
        return [
            as_tensor(answer, self._n_classes[name]) if name in self._n_classes else answer
            for name, answer in zip(outputs, answers, strict=True)
        ]


def has_zipmap(session: ort.InferenceSession) -> bool:
    return bool(zipmap_outputs(session.get_outputs()))
