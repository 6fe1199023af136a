"""all-MiniLM-L6-v2 in ONNX Runtime (fp32), which `rapport bench reader` measures the reader against.

    rapport bench reader --rival "python models/reader/rival.py --original FOLDER"

Reads a line {"batch": n, "sentences": [...]} from standard input, makes vectors of the sentences in batches of n on two threads, and
answers with the seconds that took, tokens included. Needs `onnx`, `onnxruntime` and what train.py needs.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time

import numpy
import onnxruntime
import torch
from tokenizers import Tokenizer
from torch import nn

from encoder import load_original, mean

THREADS = 2


class Vectors(nn.Module):
    def __init__(self, reader):
        super().__init__()
        self.reader = reader

    def forward(self, ids, mask):
        return mean(self.reader.encode(ids, torch.zeros_like(ids), mask)[-1], mask)


def session(folder):
    reader = load_original(folder / "model.safetensors").eval()
    ids, mask = torch.ones(2, 8, dtype=torch.long), torch.ones(2, 8, dtype=torch.bool)
    sizes = {0: "rows", 1: "tokens"}
    with tempfile.TemporaryDirectory() as place:
        path = f"{place}/model.onnx"
        torch.onnx.export(Vectors(reader), (ids, mask), path, input_names=["ids", "mask"], output_names=["vectors"], dynamic_axes={"ids": sizes, "mask": sizes}, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--original", type=pathlib.Path, required=True)
    options = options.parse_args()
    tokenizer = Tokenizer.from_file(str(options.original / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.enable_padding()
    model = session(options.original)
    for line in sys.stdin:
        asked = json.loads(line)
        sentences, size = asked["sentences"], asked["batch"]
        started = time.perf_counter()
        # Like the reader, sentences of like length together.
        sentences = sorted(sentences, key=len)
        for at in range(0, len(sentences), size):
            some = tokenizer.encode_batch(sentences[at : at + size])
            ids = numpy.array([one.ids for one in some], dtype=numpy.int64)
            mask = numpy.array([one.attention_mask for one in some], dtype=bool)
            model.run(None, {"ids": ids, "mask": mask})
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
