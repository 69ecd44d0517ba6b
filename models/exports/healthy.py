"""Makes random networks speak: seeded weights whose answers are spread over the whole scale, and the checks that no
answer lies so near a threshold that another machine's rounding could tip it."""

import numpy as np
import torch


def wake(network, batch):
    """Gives every batch normalisation the statistics of `batch`, so that no layer is silent or saturated."""
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for _ in range(len(norms) and 4):
        with torch.no_grad():
            network(batch)
    network.eval()


def spread(network, batch, layers):
    """Scales the last layers: `layers` is `[(layer, mean, deviation)]` of each output channel over `batch`."""
    seen, hooks = {}, []
    for layer, _, _ in layers:
        hooks.append(layer.register_forward_hook(lambda m, _, out: seen.__setitem__(id(m), out.detach())))
    with torch.no_grad():
        network(batch)
        for hook in hooks:
            hook.remove()
        for layer, mean, deviation in layers:
            if id(layer) not in seen:
                continue  # a layer that only training uses
            out = seen[id(layer)]
            channel = 1 if out.ndim == 4 else out.ndim - 1
            flat = out.transpose(0, channel).reshape(out.shape[channel], -1)
            scale = deviation / flat.std(1).clamp(min=1e-3)
            layer.weight.mul_(scale.view(-1, *[1] * (layer.weight.ndim - 1)))
            layer.bias.copy_((layer.bias - flat.mean(1)) * scale + mean)


def iou(boxes):
    """IoU of every pair of `boxes` `[n, 4]`, x0 y0 x1 y1."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(2)
    area = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(1)
    return both / np.maximum(area[:, None] + area[None] - both, 1e-9)


def steady(scores, classes, pairs, score_min, iou_max, score_gap=0.003, iou_gap=0.01):
    """Whether rounding can tip neither a score over `score_min` nor a pair of `pairs` (IoU, n × n) over `iou_max`.

    Pairs of different classes count too, so that the answer also holds for decoders that ignore the class.
    """
    if np.any(np.abs(scores - score_min) < score_gap):
        return False
    kept = scores > score_min
    if pairs is None:
        return True
    near = np.abs(pairs[kept][:, kept] - iou_max) < iou_gap
    same = classes[kept][:, None] == classes[kept][None]
    return not np.any(near & same)
