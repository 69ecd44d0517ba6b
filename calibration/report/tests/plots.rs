//! Whatever is drawn is one well-formed drawing: no number that is none gets into it, and no name becomes markup.

use plumb_report::plot::{Band, Bars, Histogram, HistogramSeries, Limit, Line, Lines, RunChart, Scatter};

fn check(svg: &str) {
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"), "{svg}");
    for wrong in ["NaN", "inf", "<evil"] {
        assert!(!svg.contains(wrong), "{wrong} in\n{svg}");
    }
    let (open, closed) = (svg.matches("<text").count(), svg.matches("</text>").count());
    assert_eq!(open, closed);
}

#[test]
fn every_plot_takes_every_number() {
    for values in [vec![], vec![1.0], vec![1.0; 5], vec![f64::NAN, 2.0, f64::INFINITY], vec![-1e9, 1e9]] {
        let name = || "<evil> & \"co\"".to_owned();
        let limits = vec![Limit { at: 1.5, name: name(), is_centre: false }];
        let run = RunChart { values: values.clone(), stand_out: vec![0, 99], limits, x: name(), y: name() };
        check(run.plot("run <evil>").svg());
        let series = vec![HistogramSeries { name: name(), values: values.clone() }; 2];
        check(Histogram { series, marks: vec![(0.5, name())], x: name() }.plot("histogram").svg());
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let bars = finite.iter().map(|v| (name(), *v)).collect();
        check(
            Bars { bars, limits: vec![(0.3, name())], x: name(), y: name(), cumulative: true }
                .plot("bars")
                .svg(),
        );
        let lines = vec![Line { name: name(), values: values.clone() }; 7];
        let places = values.iter().map(|_| name()).collect();
        check(Lines { places, lines, x: name(), y: name() }.plot("lines").svg());
        let points = values.iter().map(|v| (*v, *v)).collect();
        let band = finite.iter().map(|v| Band { x: *v, y: *v, lower: v - 1.0, upper: v + 1.0 }).collect();
        check(
            Scatter { points, band, limits: vec![(0.0, name())], x: name(), y: name() }.plot("scatter").svg(),
        );
    }
}

#[test]
fn a_point_out_of_limits_is_drawn_where_it_lies() {
    let limits = [(1.0, "UCL"), (0.0, "mean"), (-1.0, "LCL")];
    let limits = limits.map(|(at, name)| Limit { at, name: name.into(), is_centre: at == 0.0 }).to_vec();
    let chart =
        RunChart { values: vec![0.1, 3.0, -0.2], stand_out: vec![1], limits, x: "n".into(), y: "mm".into() };
    let plot = chart.plot("three values");
    let svg = plot.svg();
    assert_eq!((svg.matches("<circle").count(), svg.matches("fill=\"#b3261e\"").count()), (2, 1));
    assert!(svg.contains(">UCL<") && svg.contains("stroke-dasharray"));
}
