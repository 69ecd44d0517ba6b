"""Small networks for what has a shape of its own but no package behind it: a detector, a classifier and a U-Net."""

import torch


def step(given, made, stride=1):
    convolution = torch.nn.Conv2d(given, made, 3, stride, 1, bias=False)
    return torch.nn.Sequential(convolution, torch.nn.BatchNorm2d(made), torch.nn.ReLU())


class Detector(torch.nn.Module):
    """`dets [1, k, 5]` (x0 y0 x1 y1 in px of the input, score) and `labels [1, k]` i64, best first, before NMS."""

    def __init__(self, classes, k=40):
        super().__init__()
        self.body = torch.nn.Sequential(step(3, 8, 2), step(8, 16, 2), step(16, 16, 2), step(16, 16))
        self.scores = torch.nn.Conv2d(16, classes, 1)
        self.boxes = torch.nn.Conv2d(16, 4, 1)
        self.k = k

    def forward(self, image):
        features = self.body(image)
        height, width = features.shape[2:]
        scores, labels = self.scores(features).flatten(2).sigmoid().max(1)
        row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        centre = torch.stack([column, row], 0).flatten(1).float()[None] * 8 + 4
        reach = self.boxes(features).flatten(2).exp() * 10
        boxes = torch.cat([centre - reach[:, :2], centre + reach[:, 2:]], 1).transpose(1, 2)
        scores, best = scores.topk(self.k, 1)
        boxes = boxes.gather(1, best[..., None].expand(-1, -1, 4))
        return torch.cat([boxes, scores[..., None]], 2), labels.gather(1, best)

    def last(self):
        return [(self.scores, -3.4, 1.8), (self.boxes, 0.0, 0.5)]


class Classifier(torch.nn.Module):
    """Logits `[n, classes]`."""

    def __init__(self, classes, channels=3):
        super().__init__()
        self.body = torch.nn.Sequential(step(channels, 8, 2), step(8, 16, 2), step(16, 16, 2))
        self.head = torch.nn.Linear(16, classes)

    def forward(self, image):
        return self.head(self.body(image).mean((2, 3)))

    def last(self):
        return [(self.head, 0.0, 1.5)]


class UNet(torch.nn.Module):
    """Logits `[n, classes, h, w]`, two steps down and up again."""

    def __init__(self, classes, channels=3):
        super().__init__()
        self.top, self.middle, self.deep = step(channels, 8), step(8, 16, 2), step(16, 16, 2)
        self.up, self.join = torch.nn.Upsample(scale_factor=2), step(32, 8)
        self.head = torch.nn.Conv2d(16, classes, 1)

    def forward(self, image):
        top = self.top(image)
        middle = self.middle(top)
        joined = self.join(torch.cat([self.up(self.deep(middle)), middle], 1))
        return self.head(torch.cat([self.up(joined), top], 1))

    def last(self):
        return [(self.head, 0.0, 2.0)]


class Heat(torch.nn.Module):
    """An anomaly map `[n, 1, h, w]`, not normalised: how far each pixel is from what it should be."""

    def __init__(self):
        super().__init__()
        self.net = UNet(1)

    def forward(self, image):
        return self.net(image).abs()

    def last(self):
        return self.net.last()
