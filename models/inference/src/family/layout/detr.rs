//! Two outputs, logits `[1, q, c]` and boxes `[1, q, 4]`, one row a query: DETR and its kin (RF-DETR, RT-DETR, D-FINE).

use super::centred;
use crate::family::Activation;
use crate::nms::Candidate;
use crate::output::Output;

/// Boxes are centre x, centre y, width, height as shares of the tensor's sides.
#[derive(Clone, Copy, Debug)]
pub(in crate::family) struct Detr<'o> {
    logits: &'o [f32],
    boxes: &'o [f32],
    columns: usize,
    background: Option<usize>,
}

impl<'o> Detr<'o> {
    /// Names of logits and boxes: RF-DETR's, and those of Hugging Face's models.
    const NAMES: [[&'static str; 2]; 2] = [["labels", "dets"], ["logits", "pred_boxes"]];

    /// `None` where the outputs are not these two, of which `named` may be more. Column `background` of the logits is
    /// no class.
    pub(in crate::family) fn of(outputs: &'o [Output<'_>], background: Option<usize>) -> Option<Self> {
        let named = |name: &str| outputs.iter().find(|output| output.name == name);
        let by_name = Self::NAMES.iter().find_map(|[logits, boxes]| Some((named(logits)?, named(boxes)?)));
        let (logits, boxes) = match (by_name, outputs) {
            (Some(both), _) => both,
            (None, [a, b]) => match [a, b].map(|output| output.shape.last() == Some(&4)) {
                [true, false] => (b, a),
                [false, true] => (a, b),
                [true, true] if b.name.contains("box") => (a, b),
                [true, true] if a.name.contains("box") => (b, a),
                _ => return None,
            },
            _ => return None,
        };
        let ([1, queries, columns], [1, boxed, 4]) = (&logits.shape[..], &boxes.shape[..]) else {
            return None;
        };
        let classes = columns - usize::from(background.is_some_and(|background| background < *columns));
        (queries == boxed && classes > 0).then_some(Self {
            logits: &logits.values,
            boxes: &boxes.values,
            columns: *columns,
            background,
        })
    }

    /// How many boxes there are.
    pub(in crate::family) fn len(&self) -> usize {
        self.boxes.len() / 4
    }

    /// All columns but the background's.
    pub(in crate::family) fn classes(&self) -> usize {
        self.columns - usize::from(self.background.is_some_and(|background| background < self.columns))
    }

    /// With a softmax, each query's best class of at least `score_min`. With a sigmoid a query may be several things:
    /// every class of at least `score_min`, as the tools themselves read it.
    pub(in crate::family) fn candidates(
        &self,
        activation: Activation,
        (width, height): (f32, f32),
        score_min: f32,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        let box_px = |at: usize| {
            let v = &self.boxes[4 * at..4 * at + 4];
            centred(v[0] * width, v[1] * height, v[2] * width, v[3] * height)
        };
        // Compared as it comes, so that exp is paid for by those above only.
        let least = activation.inverse(score_min);
        let mut raw = 0.0_f32;
        for (at, logits) in self.logits.chunks_exact(self.columns).enumerate() {
            let of_classes =
                || logits.iter().copied().enumerate().filter(|(column, _)| Some(*column) != self.background);
            if activation == Activation::Softmax {
                let (column, best) =
                    of_classes().fold((0, f32::MIN), |best, next| if next.1 > best.1 { next } else { best });
                let most = logits.iter().copied().fold(f32::MIN, f32::max);
                let score =
                    (best - most).exp() / logits.iter().map(|logit| (logit - most).exp()).sum::<f32>();
                raw = raw.max(score);
                if score >= score_min {
                    candidates.push(Candidate {
                        box_px: box_px(at),
                        score,
                        class: self.class(column),
                        at: at as u32,
                    });
                }
                continue;
            }
            let best = of_classes().map(|(_, logit)| logit).fold(f32::MIN, f32::max);
            raw = raw.max(activation.probability([].into_iter(), best));
            if best < least {
                continue;
            }
            for (column, logit) in of_classes().filter(|(_, logit)| *logit >= least) {
                let score = activation.probability([].into_iter(), logit);
                candidates.push(Candidate {
                    box_px: box_px(at),
                    score,
                    class: self.class(column),
                    at: at as u32,
                });
            }
        }
        raw
    }

    fn class(&self, column: usize) -> u32 {
        (column - usize::from(self.background.is_some_and(|background| background < column))) as u32
    }
}
