"""A session as a job with a manifest sees it: rows go in as people write them, names of classes come out too.

An output with labels gets a column of its own, `y_class`, unless the model has an output of that name.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.batch.runner import Runs
from inference.protocol.preprocessing import Travels, label_texts
from registry.artifacts.signature import Signature, TensorSpec


def class_specs(signature: Signature, travels: Travels) -> dict[str, TensorSpec]:
    """By output, the column of its classes' names."""
    taken = {spec.name for spec in signature.outputs}
    return {
        spec.name: TensorSpec(f"{spec.name}_class", "BYTES", spec.shape[:1])
        for spec in signature.outputs
        if spec.name in travels.labels and f"{spec.name}_class" not in taken
    }


def written(signature: Signature, travels: Travels) -> Signature:
    """What a job reads and writes: the inputs as people send them, the outputs and after them the classes' names."""
    return Signature(travels.asked.inputs, (*signature.outputs, *class_specs(signature, travels).values()))


class Prepared:
    def __init__(self, session: Runs, signature: Signature, travels: Travels) -> None:
        self._session = session
        self._travels = travels
        named = class_specs(signature, travels)
        self._labels = [
            (place, travels.labels[spec.name]) for place, spec in enumerate(signature.outputs) if spec.name in named
        ]

    def run(self, inputs: dict[str, np.ndarray], outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        arrays = self._session.run(self._travels.prepared(inputs), outputs)
        return [*arrays, *(_names(labels, arrays[place]) for place, labels in self._labels)]


def _names(labels: Sequence[str], array: np.ndarray) -> np.ndarray:
    """An empty text where a row has no class."""
    texts = label_texts(labels, array)
    names = np.empty(len(texts), object)
    names[:] = [text or "" for text in texts]
    return names if array.ndim else names.reshape(())
