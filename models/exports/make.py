#!/usr/bin/env python3
"""Makes the exports under `files/`, each with the package that users make theirs with. See README.md.

    python make.py ultralytics            # every export of one family
    python make.py ultralytics v8-detect  # those whose name contains `v8-detect`
"""

import importlib
import os
import sys

# No package may fetch weights or report use.
os.environ.update(YOLO_OFFLINE="true", HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", DO_NOT_TRACK="1")
FAMILIES = ["ultralytics", "yolov5", "detr", "dfine", "rfdetr", "torchvision", "timm", "anomalib", "geti", "mmdeploy", "plain"]


def main():
    family, only = (sys.argv[1:] + ["", ""])[:2]
    if family not in FAMILIES:
        sys.exit(f"which family? one of: {', '.join(FAMILIES)}")
    module = importlib.import_module(f"families.{family}_exports")
    for name, build in module.exports().items():
        if only in name:
            build(name)


if __name__ == "__main__":
    main()
