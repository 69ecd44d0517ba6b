"""One export's folder under `files/`: the model, the picture, the package's own answer to it, and what is worth knowing."""

import hashlib
import json
import pathlib

import cv2
import numpy as np
import onnx

import drawing

FILES = pathlib.Path(__file__).parent / "files"
BYTES_MAX = 300_000
ELEMENT = {1: "f32", 2: "u8", 6: "i32", 7: "i64", 9: "bool", 10: "f16", 11: "f64"}


class Folder:
    """`files/<name>`. Made empty; `finish` writes what describes it."""

    def __init__(self, name, family, package, task):
        self.name, self.family, self.package, self.task = name, family, package, task
        self.path = FILES / name
        self.path.mkdir(parents=True, exist_ok=True)
        for old in self.path.iterdir():
            old.unlink()
        self.pictures = []

    @property
    def model(self):
        return self.path / "model.onnx"

    def take_model(self, source, **changed):
        """Copies the package's file, its metadata included.

        Only what names the day or the machine is changed: `changed` holds the metadata to overwrite, and the stack
        traces that PyTorch's exporter writes (paths of the machine it ran on) are left out.
        """
        model = onnx.load(str(source), load_external_data=False)
        beside = pathlib.Path(f"{source}.data")
        if beside.exists():  # weights that the package left outside, under the name the model knows them by
            (self.path / "model.onnx.data").write_bytes(beside.read_bytes())
        for property in model.metadata_props:
            property.value = changed.get(property.key, property.value)
        forget_machine(model)
        onnx.save(model, str(self.model))

    def add_picture(self, picture, findings=(), masks=None, file="picture.png", **more):
        """Stores `picture` (RGB) with the package's `findings`, best score first, and `masks[i]` of the i-th one."""
        drawing.save(self.path / file, picture)
        order = sorted(range(len(findings)), key=lambda i: -findings[i]["score"])
        entries = []
        for rank, i in enumerate(order):
            finding = rounded(dict(findings[i]))
            if masks is not None:
                mask = (np.asarray(masks[i]) > 0).astype(np.uint8)
                finding["mask"] = f"mask-{rank}.png"
                finding["area_px"] = int(mask.sum())
                cv2.imwrite(str(self.path / finding["mask"]), mask * 255)
            entries.append(finding)
        digest = hashlib.sha256((self.path / file).read_bytes()).hexdigest()
        self.pictures.append({"file": file, "sha256": digest, **rounded(more), "findings": entries})

    def finish(self, settings=None, seed=0, quirks="", box_px=1.0, score=0.001, large=False):
        """Writes `reference.json` and this export's entry of `exports.json`."""
        size = sum(f.stat().st_size for f in self.path.iterdir() if f.name.startswith("model.onnx"))
        assert large or size <= BYTES_MAX, f"{self.name}: {size} bytes, {BYTES_MAX} are allowed"
        reference = {
            "schema": "plumb.reference/1",
            "made_by": self.package,
            "task": self.task,
            "tolerance": {"box_px": box_px, "score": score},
            "settings": settings or {},
            "pictures": self.pictures,
        }
        (self.path / "reference.json").write_text(json.dumps(reference, indent=1, ensure_ascii=False) + "\n")
        no_machine_in(self.path)

        graph = onnx.load(str(self.model), load_external_data=False)
        package, _, version = self.package.partition(" ")
        constants = {c.name for c in graph.graph.initializer}
        entry = {
            "name": self.name,
            "family": self.family,
            "package": package,
            "version": version,
            "task": self.task,
            "seed": seed,
            "bytes": size,
            "opset": {o.domain or "ai.onnx": o.version for o in graph.opset_import},
            "inputs": [tensor(i) for i in graph.graph.input if i.name not in constants],
            "outputs": [tensor(o) for o in graph.graph.output],
            "metadata": {p.key: p.value for p in graph.metadata_props},
            "findings": [len(p["findings"]) for p in self.pictures],
            "files": sorted(f.name for f in self.path.iterdir()),
            "quirks": quirks,
        }
        listed = FILES.parent / "exports.json"
        entries = json.loads(listed.read_text()) if listed.exists() else []
        entries = [e for e in entries if e["name"] != self.name] + [entry]
        entries.sort(key=lambda e: e["name"])
        listed.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
        print(f"{self.name}: {size} bytes, seed {seed}, findings {entry['findings']}")


def forget_machine(model):
    """Removes the stack traces that name files of the machine the model was exported on."""
    graphs = [model.graph, *model.functions]
    for graph in graphs:
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    graphs.append(attribute.g)
            kept = [p for p in node.metadata_props if "stack_trace" not in p.key]
            if len(kept) != len(node.metadata_props):
                del node.metadata_props[:]
                node.metadata_props.extend(kept)
            if "/" in node.doc_string:
                node.doc_string = ""


def no_machine_in(folder):
    """Refuses to keep a file that names a folder of this machine."""
    for file in folder.iterdir():
        data = file.read_bytes()
        for trace in (b"/home/", b"site-packages", b"/tmp/", b"/root/"):
            assert trace not in data, f"{file} holds {trace!r}"


def tensor(value):
    shape = [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
    return {"name": value.name, "type": ELEMENT[value.type.tensor_type.elem_type], "shape": shape}


def rounded(value):
    """Floats to 7 significant digits: more than f32 holds is noise."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [rounded(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{float(value):.7g}")
    if isinstance(value, np.integer):
        return int(value)
    return value
