#!/usr/bin/env python3
"""A model in 8-bit integers: static quantisation, calibrated on pictures of the station's own good parts.

    python quantise.py CARD (--pictures FOLDER | --ledger DATA) [--region X,Y,W,H] [--add]

Writes `<model>-int8.onnx` beside the model (QDQ: u8 activations, s8 weights, one scale a channel) and prints the card's
`[[variant]]`; `--add` appends it to the card. Whether verdicts stay the same is for `plumb model bench` to say.

What follows the last convolution or matrix product stays in floats: there boxes in px and scores of 0..1 come together in
one tensor, and one scale for both would leave nothing of the scores. `--keep-last` leaves those last layers in floats
too, `--keep NAME` any others.
"""

import argparse
import hashlib
import os
import pathlib
import re
import sqlite3
import tempfile
import tomllib

import cv2
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from prepare import spec, tensor

PRODUCTS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


def pictures_of(given):
    """Files of the folder, or of the parts that passed and whose picture the ledger kept; at even steps."""
    if given.ledger:
        database = sqlite3.connect(f"file:{given.ledger / 'ledger.sqlite'}?mode=ro", uri=True)
        rows = database.execute("SELECT p.path FROM pictures p JOIN records r USING (part_id, triggered_us)"
                                " WHERE r.verdict = 'pass' AND p.kind = 'frame' AND p.path IS NOT NULL ORDER BY p.id")
        files = [given.ledger / path for path, in rows]
    else:
        files = sorted(file for file in given.pictures.rglob("*") if file.suffix.lower() in ENDINGS)
    if len(files) < 10:
        where = given.ledger or given.pictures
        raise SystemExit(f"{where}: {len(files)} pictures are too few to calibrate on; some hundred good parts are better")
    return files[::-(-len(files) // given.limit)]


class Pictures(CalibrationDataReader):
    def __init__(self, files, region, want, name):
        self.files, self.region, self.want, self.name = iter(files), region, want, name

    def get_next(self):
        file = next(self.files, None)
        if file is None:
            return None
        picture = cv2.imread(str(file), cv2.IMREAD_ANYCOLOR)
        if picture is None:
            raise SystemExit(f"{file} is no picture that can be read; take it out of the folder")
        return {self.name: tensor(picture, self.region, self.want)}


def tail_of(graph):
    """Names of the last products, and of all nodes behind which no product comes."""
    readers = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    ahead, last, tail = {}, set(), set()
    for node in reversed(graph.node):  # the nodes of a graph stand in the order of their work
        after = [reader for name in node.output for reader in readers.get(name, [])]
        reaches = any(ahead[id(reader)] or reader.op_type in PRODUCTS for reader in after)
        ahead[id(node)] = reaches
        if not reaches:
            (last if node.op_type in PRODUCTS else tail).add(node.name)
    return last, tail


def named(model):
    """Every node has a name of its own, so that it can be left out by it."""
    for at, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}-{at}"
    return model


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("card", type=pathlib.Path)
    source = arguments.add_mutually_exclusive_group(required=True)
    source.add_argument("--pictures", type=pathlib.Path, help="a folder of good parts, as the station sees them")
    source.add_argument("--ledger", type=pathlib.Path, help="a station's data folder: the kept pictures of passed parts")
    arguments.add_argument("--region", help="x,y,w,h in px, as rect_px of the recipe's region")
    arguments.add_argument("--limit", type=int, default=200, help="calibrate on at most so many pictures (200)")
    arguments.add_argument("--method", choices=("minmax", "entropy", "percentile"), default="minmax")
    arguments.add_argument("--keep-last", action="store_true", help="leave the last layers in floats")
    arguments.add_argument("--keep", action="append", default=[], help="leave nodes whose name matches in floats")
    arguments.add_argument("--name", default="int8", help="of the variant (int8)")
    arguments.add_argument("--add", action="store_true", help="append the variant to the card")
    given = arguments.parse_args()

    card = tomllib.loads(given.card.read_text())
    if any(variant["name"] == given.name for variant in card.get("variant", [])):
        raise SystemExit(f"{given.card} has a variant {given.name!r} already; take it out, or give this one another --name")
    want = spec(card)
    if want["element"] == "f16":
        raise SystemExit(f"{given.card} speaks of a model in 16-bit floats; quantise the 32-bit file it was made from")
    region = [int(side) for side in given.region.split(",")] if given.region else None
    files = pictures_of(given)
    model = given.card.parent / card["file"]
    out = model.with_name(f"{model.stem}-{given.name}.onnx")
    methods = {"minmax": CalibrationMethod.MinMax, "entropy": CalibrationMethod.Entropy,
               "percentile": CalibrationMethod.Percentile}
    with tempfile.TemporaryDirectory() as folder:
        clean = os.path.join(folder, "clean.onnx")
        quant_pre_process(str(model), clean)
        graph = named(onnx.load(clean))
        onnx.save(graph, clean)
        last, tail = tail_of(graph.graph)
        kept = tail | (last if given.keep_last else set())
        kept |= {node.name for node in graph.graph.node if any(re.search(name, node.name) for name in given.keep)}
        reader = Pictures(files, region, want, graph.graph.input[0].name)
        quantize_static(clean, str(out), reader, quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=sorted(kept),
                        calibrate_method=methods[given.method])
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    variant = f"""
[[variant]] # static QDQ, calibrated ({given.method}) on {len(files)} pictures{" of " + given.region if region else ""}
name = "{given.name}"
file = "{out.name}"
sha256 = "{digest}"
"""
    print(variant)
    if given.add:
        with given.card.open("a") as text:
            text.write(variant)
    before, after = model.stat().st_size, out.stat().st_size
    products = sum(node.op_type in PRODUCTS for node in graph.graph.node)
    print(f"# {out}: {after / 1e6:.2f} MB instead of {before / 1e6:.2f}; {len(kept & last)} of {products} products and "
          f"{len(kept - last)} further nodes stay in floats")


if __name__ == "__main__":
    main()
