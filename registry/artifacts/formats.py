"""What people upload by mistake, and what to tell them. The magic numbers are those of the formats' own documents."""

from __future__ import annotations

import re

from registry.artifacts.report import Rejection

_EXPORT_TORCH = 'for example with torch.onnx.export(model, example_inputs, "model.onnx", opset_version=20)'
_EXPORT_KERAS = 'for example with model.export("model.onnx", format="onnx") in Keras 3'
_EXPORT_TF = "for example with python -m tf2onnx.convert --saved-model DIRECTORY --output model.onnx"
_EXPORT_SKLEARN = "for example with skl2onnx.to_onnx(model, X[:1]) for scikit-learn"

PICKLE = Rejection(
    "not_onnx_pickle",
    f"This is a Python pickle, not an ONNX model. Export the model to ONNX first, {_EXPORT_TORCH} for PyTorch, "
    f"or {_EXPORT_SKLEARN}.",
)
TORCH = Rejection("not_onnx_torch", f"This is a PyTorch checkpoint. Export the model to ONNX first, {_EXPORT_TORCH}.")
KERAS = Rejection("not_onnx_keras", f"This is a Keras model. Export it to ONNX first, {_EXPORT_KERAS}.")
NUMPY = Rejection("not_onnx_numpy", "This file holds numpy arrays, not a model. Upload the .onnx file of the model.")
SAVED_MODEL = Rejection(
    "not_onnx_saved_model", f"This is a TensorFlow SavedModel. Convert it to ONNX first, {_EXPORT_TF}."
)
TF_GRAPH = Rejection(
    "not_onnx_tensorflow_graph",
    "This looks like a frozen TensorFlow graph. Convert it to ONNX first, for example with "
    "python -m tf2onnx.convert --graphdef FILE --output model.onnx.",
)
# These two are unpacked where a version may be a bundle.
ZIP = Rejection("not_onnx_zip", "This is a zip archive. Unpack it and upload the single .onnx file it holds.")
TAR = Rejection("not_onnx_tar", "This is a tar archive. Unpack it and upload the single .onnx file it holds.")
COMPRESSED = Rejection(
    "not_onnx_compressed",
    "This file is compressed. Unpack it and upload the .onnx file itself, or a .zip or plain .tar of it.",
)
EMPTY = Rejection(
    "empty_file", "The file is empty. Check that the export has finished, then upload the .onnx file again."
)
SAFETENSORS = Rejection(
    "not_onnx_safetensors",
    f"This is a safetensors file: weights without a model. Export the whole model to ONNX, {_EXPORT_TORCH}.",
)
TRUNCATED = Rejection(
    "truncated_file",
    "The file ends before the model does: it was cut off on the way. Copy or export it again, then upload it again.",
)
TOO_LARGE = Rejection(
    "too_large_for_onnx",
    "A single ONNX file holds at most 2 GB. Quantize the model or store its weights as float16, then upload it again.",
)
UNKNOWN = Rejection(
    "not_onnx",
    "This is not an ONNX model. Upload the .onnx file which your framework's ONNX export wrote.",
)

MAGIC: tuple[tuple[int, bytes, Rejection], ...] = (
    (0, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", TORCH),
    *((0, bytes((0x80, protocol)), PICKLE) for protocol in range(2, 6)),
    (0, b"\x1f\x8b", COMPRESSED),
    (0, b"BZh", COMPRESSED),
    (0, b"\xfd7zXZ\x00", COMPRESSED),
    (0, b"\x28\xb5\x2f\xfd", COMPRESSED),
    (0, b"7z\xbc\xaf\x27\x1c", COMPRESSED),
    (0, b"Rar!\x1a\x07", COMPRESSED),
    (257, b"ustar", TAR),
    *(
        (
            0,
            start,
            Rejection(
                "not_onnx_joblib",
                f"This looks like a compressed joblib pickle. Export it to ONNX first, {_EXPORT_SKLEARN}.",
            ),
        )
        for start in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
    ),
    (
        0,
        b"\x89HDF\r\n\x1a\n",
        Rejection(
            "not_onnx_hdf5", f"This is an HDF5 file, probably a Keras model. Export it to ONNX first, {_EXPORT_KERAS}."
        ),
    ),
    (0, b"\x93NUMPY", NUMPY),
    (
        4,
        b"TFL3",
        Rejection(
            "not_onnx_tflite",
            "This is a TensorFlow Lite model. Convert it first: tf2onnx.convert --tflite FILE --output model.onnx.",
        ),
    ),
    (
        4,
        b"ORTM",
        Rejection(
            "not_onnx_ort_format",
            "This is a model in ONNX Runtime's own ORT format. Upload the .onnx file it was made from.",
        ),
    ),
    (0, b"%PDF", Rejection("not_onnx_pdf", "This is a PDF document. Upload the .onnx file of the model.")),
    (0, b"\x89PNG", Rejection("not_onnx_image", "This is a picture. Upload the .onnx file of the model.")),
    (0, b"\xff\xd8\xff", Rejection("not_onnx_image", "This is a picture. Upload the .onnx file of the model.")),
    (0, b"GIF8", Rejection("not_onnx_image", "This is a picture. Upload the .onnx file of the model.")),
    (
        0,
        b"\x7fELF",
        Rejection("not_onnx_program", "This is a program or a library. Upload the .onnx file of the model."),
    ),
    (0, b"MZ", Rejection("not_onnx_program", "This is a program or a library. Upload the .onnx file of the model.")),
    (
        0,
        b"PAR1",
        Rejection("not_onnx_parquet", "This is a Parquet table, not a model. Tables belong into a batch job."),
    ),
    (
        0,
        b"GGUF",
        Rejection("not_onnx_gguf", "This is a GGUF model for llama.cpp. Upload an ONNX export of the model instead."),
    ),
)

HTML = Rejection(
    "not_onnx_html",
    "This is a web page. The download of the model probably asked for a sign-in: download it again and upload the "
    ".onnx file.",
)
LFS = Rejection(
    "not_onnx_git_lfs",
    "This is a Git LFS pointer, not the model itself. Run `git lfs pull`, then upload the .onnx file.",
)
JSON = Rejection("not_onnx_json", "This is a JSON file. Upload the .onnx file of the model.")
XML = Rejection(
    "not_onnx_xml",
    "This is an XML file, perhaps an OpenVINO or PMML model. Export the original model to ONNX and upload that.",
)
TEXT_PROTO = Rejection(
    "not_onnx_text_proto",
    'This is an ONNX model written as text. Save it in binary, with onnx.save(model, "model.onnx"), and upload that.',
)
TEXT = Rejection("not_onnx_text", "This is a text file. Upload the .onnx file of the model.")
PICKLE_TEXT = re.compile(rb"\A(\(dp0|\(lp0|c[\w.]+\n\w+\n|[}\])]q\x00)")
TEXT_PROTO_START = re.compile(r"\A\s*(<\s*)?(ir_version|producer_name|opset_import|graph)\s*[:{]")
