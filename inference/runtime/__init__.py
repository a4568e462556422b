"""Arrays, sessions and the pool that holds them. The only room of this app that knows ONNX Runtime."""

import os

# ONNX Runtime starts a background thread for telemetry when it is imported, unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
