"""Neural Face Editor's library: networks, training, inversion, editing, metrics."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # onnxruntime reads it when it is imported
