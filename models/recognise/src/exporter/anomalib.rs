//! Anomalib 2: no metadata, but outputs by name (`pred_score`, `anomaly_map`, `pred_label`, `pred_mask`).
//!
//! As in its `pre_processor.py` and `post_processor.py`: resizing and ImageNet's normalisation are in the graph, and so is
//! the scaling that puts the operating point at 0.5.

use crate::Source;
use crate::draft::Draft;
use crate::sight::Sight;

pub(super) fn made(sight: &Sight) -> bool {
    sight.output("anomaly_map").is_some() || sight.output("pred_score").is_some()
}

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    let custom = |what: &str| Source::Custom(format!("Anomalib {what}"));
    let name = |name: &str| Source::Shape(format!("an output is called {name}"));
    if sight.output("anomaly_map").is_none() {
        draft.obstacle(
            "it gives a score but no map of what is odd (anomaly_map); export a model that has one",
        );
        return;
    }
    draft.fact("family.kind", "anomaly", name("anomaly_map"));
    draft.fact("family.map", "anomaly_map", name("anomaly_map"));
    if sight.output("pred_score").is_some() {
        draft.fact("family.score", "pred_score", name("pred_score"));
    }
    draft.number("family.map_min", 0.5, custom("scales scores so that 0.5 is the operating point"));
    draft.fact("labels", vec!["anomaly"], custom("knows one class"));
    draft.fact("input.colour", "rgb", custom("gives RGB"));
    draft.normalise_as("unit", &custom("normalises in the graph, from 0..1"));
    draft.fit("stretch", 0, custom("stretches"));
    if let Some([height, width]) = resized_to(sight) {
        let in_graph = || Source::Graph(format!("the first Resize makes {width}x{height} of any picture"));
        draft.fact("input.width", width, in_graph());
        draft.fact("input.height", height, in_graph());
    }
}

/// What the graph itself resizes pictures to, where it is written as a constant.
fn resized_to(sight: &Sight) -> Option<[i64; 2]> {
    let graph = sight.onnx.model().graph.as_ref()?;
    let resize = graph.node.iter().find(|node| node.op_type() == "Resize")?;
    let sizes = sight.onnx.whole_numbers(resize.input.get(3)?)?;
    let [.., height, width] = sizes[..] else { return None };
    (height > 0 && width > 0).then_some([height, width])
}
