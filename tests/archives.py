"""Models whose weights lie in data files beside them, and archives of such files, good and hostile."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping

import numpy as np
from onnx import TensorProto, helper

from tests.graphs import constant, model, value

WEIGHTS = np.array([10.0, 20.0, 30.0, 40.0], np.float32).tobytes()


def reference(
    name: str = "c",
    location: str | None = "weights.bin",
    dims: tuple[int, ...] = (4,),
    element: int = TensorProto.FLOAT,
    **entries: object,
) -> TensorProto:
    """A tensor whose values lie in a file; `entries` are offset, length and whatever else."""
    tensor = TensorProto(name=name, data_type=element, dims=dims, data_location=TensorProto.EXTERNAL)
    if location is not None:
        tensor.external_data.add(key="location", value=location)
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=str(text))
    return tensor


def adds(tensor: TensorProto | None = None) -> bytes:
    """y = x + c, where c lies in `weights.bin` unless another tensor is given."""
    node = helper.make_node("Add", ["x", "c"], ["y"])
    weights = reference(offset=0, length=16) if tensor is None else tensor
    return model([node], [value("x")], [value("y")], [weights]).SerializeToString()


def names(location: str | None) -> bytes:
    """Like `adds`, with the weights looked for in `location`."""
    return adds(reference(location=location, length=16))


def constant_in_a_file() -> bytes:
    """The reference stands in an attribute."""
    nodes = [
        helper.make_node("Constant", [], ["c"], value=reference("", offset=0, length=16)),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    return model(nodes, [value("x")], [value("y")]).SerializeToString()


def inner_weights() -> bytes:
    """The reference stands in a graph inside the graph, where ONNX Runtime opens the file itself."""
    branch = helper.make_graph(
        [helper.make_node("Add", ["x", "c"], ["b"])], "b", [], [value("b")], [reference(offset=0, length=16)]
    )
    node = helper.make_node("If", ["go"], ["y"], then_branch=branch, else_branch=branch)
    return model([node], [value("x")], [value("y")], [constant("go", True, np.bool_)]).SerializeToString()


def many_files(count: int) -> bytes:
    """y = x + one number from each of `count` files."""
    weights = [reference(f"c{i}", f"part{i}.bin", (1,), length=4) for i in range(count)]
    node = helper.make_node("Sum", ["x", *(tensor.name for tensor in weights)], ["y"])
    return model([node], [value("x")], [value("y")], weights).SerializeToString()


def bundle() -> dict[str, bytes]:
    return {"model.onnx": adds(), "weights.bin": WEIGHTS}


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def zipped_with(name: str, data: bytes = b"x") -> bytes:
    """A good bundle and one more file."""
    return zipped({**bundle(), name: data})


def tarred(files: Mapping[str, bytes], *more: tarfile.TarInfo, mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in more:
            archive.addfile(member)
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """A member that is no plain file."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def tarred_link(kind: bytes, target: str = "") -> bytes:
    """A model whose weights are a link, or another thing that is no file."""
    return tarred({"model.onnx": adds()}, special("weights.bin", kind, target))


def zip_with_link() -> bytes:
    buffer = io.BytesIO(zipped({"model.onnx": adds()}))
    with zipfile.ZipFile(buffer, "a") as archive:
        link = zipfile.ZipInfo("weights.bin")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return buffer.getvalue()


def zip_with_twins() -> bytes:
    buffer = io.BytesIO(zipped(bundle()))
    with zipfile.ZipFile(buffer, "a") as archive:
        other = zipfile.ZipInfo("weights.bim")
        archive.writestr(other, WEIGHTS[::-1])
    # A writer of its own would warn of two of one name.
    return buffer.getvalue().replace(b"weights.bim", b"weights.bin")


def zip_with_password() -> bytes:
    """The flag is all that is looked at."""
    data = bytearray(zipped(bundle(), zipfile.ZIP_STORED))
    position = data.find(b"PK\x01\x02")
    while position != -1:
        data[position + 8] |= 1
        position = data.find(b"PK\x01\x02", position + 1)
    return bytes(data)


def zip_with_lying_size() -> bytes:
    """The directory says 8 bytes less than there are."""
    data = bytearray(zipped(bundle(), zipfile.ZIP_STORED))
    position = data.rfind(b"PK\x01\x02")
    data[position + 24 : position + 28] = (8).to_bytes(4, "little")
    return bytes(data)


def zip_with_unknown_compression() -> bytes:
    data = bytearray(zipped(bundle(), zipfile.ZIP_STORED))
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        position = data.find(mark)
        data[position + offset : position + offset + 2] = (97).to_bytes(2, "little")
    return bytes(data)


def zip_bomb(n_megabytes: int = 300) -> bytes:
    """Zeros that shrink a thousandfold, beside a small model that names them."""
    size = n_megabytes << 20
    weights = reference(dims=(size // 4,), length=size)
    node = helper.make_node("ReduceSum", ["c"], ["s"], keepdims=0)
    add = helper.make_node("Add", ["x", "s"], ["y"])
    graph = model([node, add], [value("x")], [value("y")], [weights]).SerializeToString()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.onnx", graph)
        with archive.open("weights.bin", "w", force_zip64=True) as file:
            for _ in range(n_megabytes):
                file.write(bytes(1 << 20))
    return buffer.getvalue()


def hidden_entries() -> bytes:
    """The entries are there, but `data_location` does not say so."""
    tensor = reference(offset=0, length=16)
    tensor.ClearField("data_location")
    return adds(tensor)


def two_locations() -> bytes:
    tensor = reference(offset=0, length=16)
    tensor.external_data.add(key="location", value="/etc/passwd")
    return adds(tensor)
