//! Draws what the scenarios come to: a panel for each scenario and style of limiter.

use std::error::Error;

use plotters::prelude::*;

use crate::SEED;
use crate::scenarios;
use crate::simulation::{Count, Scenario, Style};

const WIDTH: u32 = 1200;
const HEADER: u32 = 70;
const PANEL: u32 = 250;

const FREE: RGBColor = RGBColor(30, 30, 30);
const OFFERED: RGBColor = RGBColor(217, 217, 217);
const ACCEPTED: RGBColor = RGBColor(31, 119, 180);
const SECOND: RGBColor = RGBColor(44, 150, 90);
const REFUSED: RGBColor = RGBColor(214, 39, 40);

/// The whole picture, as SVG.
pub(crate) fn draw() -> Result<String, Box<dyn Error>> {
    let scenarios = scenarios::all();
    let mut svg = String::new();
    {
        let height = HEADER + PANEL * scenarios.len() as u32;
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let (header, panels) = root.split_vertically(HEADER);
        legend(&header)?;
        let cells = panels.split_evenly((scenarios.len(), Style::ALL.len()));
        let runs = scenarios.iter().flat_map(|scenario| Style::ALL.map(|style| (scenario, style)));
        for (cell, (scenario, (style, name))) in cells.iter().zip(runs) {
            panel(cell, scenario, style, name)?;
        }
        root.present()?;
    }
    Ok(svg + "\n")
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn legend(area: &Area) -> Result<(), Box<dyn Error>> {
    let title = "Requests per second, as they arrive at the API (each connector configured for 20)";
    area.draw(&Text::new(title, (20, 12), ("sans-serif", 20)))?;
    let entries = [
        (20, OFFERED, "offered"),
        (130, ACCEPTED, "accepted"),
        (250, REFUSED, "refused"),
        (365, SECOND, "accepted of the second connector"),
        (675, FREE, "free for one connector: the limit without the others, in equal parts"),
    ];
    for (x, colour, label) in entries {
        area.draw(&Rectangle::new([(x, 48), (x + 22, 54)], colour.filled()))?;
        area.draw(&Text::new(label, (x + 30, 44), ("sans-serif", 15)))?;
    }
    Ok(())
}

fn panel(area: &Area, scenario: &Scenario, style: Style, name: &str) -> Result<(), Box<dyn Error>> {
    let outcome = scenario.play(style, SEED);
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{}; an API that {name}", scenario.name), ("sans-serif", 15))
        .margin(10)
        .margin_right(20)
        .x_label_area_size(36)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..f64::from(scenario.seconds), 0.0..22.0)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(11)
        .y_labels(5)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .x_desc("seconds")
        .y_desc("requests/s")
        .label_style(("sans-serif", 13))
        .draw()?;
    let first = &outcome.ours[0];
    chart.draw_series(AreaSeries::new(steps(first, Count::offered), 0.0, OFFERED))?;
    chart.draw_series(AreaSeries::new(steps(first, |count| count.refused), 0.0, REFUSED))?;
    if let Some(second) = outcome.ours.get(1) {
        chart.draw_series(LineSeries::new(steps(second, |count| count.accepted), SECOND.stroke_width(1)))?;
    }
    chart.draw_series(LineSeries::new(steps(first, |count| count.accepted), ACCEPTED.stroke_width(2)))?;
    let free = (0..scenario.seconds).flat_map(|second| {
        let free = scenario.free(second);
        [(f64::from(second), free), (f64::from(second + 1), free)]
    });
    chart.draw_series(LineSeries::new(free, FREE.stroke_width(1)))?;
    Ok(())
}

/// A step for each second.
fn steps(counts: &[Count], read: fn(Count) -> u32) -> impl Iterator<Item = (f64, f64)> {
    counts.iter().enumerate().flat_map(move |(second, count)| {
        let value = f64::from(read(*count));
        [(second as f64, value), (second as f64 + 1.0, value)]
    })
}
