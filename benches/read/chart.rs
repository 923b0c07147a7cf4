//! The figures as an SVG file.

use std::fmt::Display;
use std::path::Path;

use aifi_sandbox::Limit;
use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::figures::Memory;
use crate::table::{Report, thousands};

const SIZE: (u32, u32) = (1_100, 460);
const TITLE: i32 = 64;
const MARGIN: i32 = 16;
const AXIS: i32 = 48;
/// Pixels from the lowest to the highest value.
const HEIGHT: f64 = (SIZE.1 as i32 - TITLE - MARGIN - AXIS) as f64;

const INK: RGBColor = RGBColor(40, 44, 52);
const FAINT: RGBColor = RGBColor(120, 126, 136);
const GRID: RGBColor = RGBColor(228, 230, 234);
const OURS: RGBColor = RGBColor(0, 98, 177);
const PEERS: RGBColor = RGBColor(184, 84, 32);

/// Seconds that others report for 20,000 orders at 300 ms, the lowest first. Not measured here.
const REPORTED: [(f64, &str); 4] = [
    (7.5, "low-code CDK, best hand-set sweep"),
    (34.0, "Singer tap"),
    (35.0, "low-code CDK, default"),
    (38.0, "dlt"),
];
const REPORTED_LATENCY: f64 = 300.0;
const REPORTED_IDEAL: f64 = 5.0;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws both charts into one file.
pub(crate) fn draw(file: &Path, report: &Report) -> Result<()> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(failed)?;
    let (left, right) = root.split_horizontally(650);
    ratios(&left, report)?;
    memory(&right, &report.memory)?;
    root.present().map_err(failed)
}

/// Wall time over the ideal, by latency.
fn ratios(area: &Area<'_>, report: &Report) -> Result<()> {
    let sliding = report.ceiling.iter().filter(|row| matches!(row.case.limit, Limit::SlidingSecond(_)));
    let ours: Vec<(f64, f64)> =
        sliding.map(|row| (row.case.latency.as_millis() as f64, row.ratio())).collect();
    let top = ours.iter().map(|(_, ratio)| *ratio).fold(8.0, f64::max) * 1.1;
    let pixel = top / HEIGHT;
    title(
        area,
        "Time of a first sync, as a multiple of the ideal",
        "Triangles: reported by others for 20,000 orders, not measured here",
    )?;
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .margin_top(TITLE)
        .x_label_area_size(AXIS)
        .y_label_area_size(AXIS)
        .build_cartesian_2d(-50.0..1_200.0, 0.0..top)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(INK)
        .label_style(font(13, INK))
        .axis_desc_style(font(14, INK))
        .x_desc("latency of the API, ms")
        .y_desc("wall time / ideal (full pages at 20 a second)")
        .x_label_formatter(&|latency| format!("{latency:.0}"))
        .y_label_formatter(&|ratio| format!("{ratio:.0}"))
        .draw()
        .map_err(failed)?;
    chart.draw_series(LineSeries::new([(-50.0, 1.0), (1_200.0, 1.0)], FAINT)).map_err(failed)?;
    chart
        .draw_series([text("ideal", (1_195.0, 1.0 - 4.0 * pixel), FAINT, HPos::Right, VPos::Top)])
        .map_err(failed)?;

    let mut lowest: f64 = 0.0;
    for (seconds, name) in REPORTED {
        let ratio = seconds / REPORTED_IDEAL;
        // Labels of near values give way to each other, upwards.
        let label = ratio.max(lowest);
        lowest = label + 17.0 * pixel;
        chart
            .draw_series([PathElement::new([(REPORTED_LATENCY, ratio), (338.0, label)], PEERS)])
            .map_err(failed)?;
        chart.draw_series([TriangleMarker::new((REPORTED_LATENCY, ratio), 7, PEERS)]).map_err(failed)?;
        let label = text(&format!("{name}: {seconds} s"), (344.0, label), PEERS, HPos::Left, VPos::Center);
        chart.draw_series([label]).map_err(failed)?;
    }

    let last = ours.last().copied().unwrap_or_default();
    let name = text("source-aifi", (last.0, last.1 + 10.0 * pixel), OURS, HPos::Center, VPos::Bottom);
    chart.draw_series([name]).map_err(failed)?;
    let values = ours.iter().map(|(latency, ratio)| {
        // Below its point, and below the line of the ideal where it would lie on it.
        let below = ratio - 9.0 * pixel;
        let on_the_line = below > 1.0 && below - 16.0 * pixel < 1.0;
        let top = if on_the_line { 1.0 - 4.0 * pixel } else { below };
        text(&format!("{ratio:.2}"), (*latency, top), OURS, HPos::Center, VPos::Top)
    });
    chart.draw_series(values).map_err(failed)?;
    chart
        .draw_series(LineSeries::new(ours.clone(), OURS.filled().stroke_width(2)).point_size(4))
        .map_err(failed)?;
    Ok(())
}

/// Peak memory, by number of orders.
fn memory(area: &Area<'_>, memory: &[Memory]) -> Result<()> {
    let points: Vec<(f64, f64)> =
        memory.iter().map(|point| (point.orders as f64, point.peak / f64::from(1 << 20))).collect();
    let top = points.iter().map(|(_, peak)| *peak).fold(1.0, f64::max) * 1.5;
    let pixel = top / HEIGHT;
    title(area, "Peak memory of a first sync", "source-aifi, no latency, no limit")?;
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .margin_top(TITLE)
        .x_label_area_size(AXIS)
        .y_label_area_size(AXIS)
        .build_cartesian_2d((10_000.0..4_000_000.0).log_scale(), 0.0..top)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(INK)
        .label_style(font(13, INK))
        .axis_desc_style(font(14, INK))
        .x_desc("orders (logarithmic)")
        .y_desc("MiB")
        .x_label_formatter(&|orders| thousands(*orders as usize))
        .y_label_formatter(&|peak| format!("{peak:.0}"))
        .draw()
        .map_err(failed)?;
    let values = points
        .iter()
        .map(|(x, y)| text(&format!("{y:.1}"), (*x, y + 9.0 * pixel), OURS, HPos::Center, VPos::Bottom));
    chart.draw_series(values).map_err(failed)?;
    chart
        .draw_series(LineSeries::new(points.clone(), OURS.filled().stroke_width(2)).point_size(4))
        .map_err(failed)?;
    Ok(())
}

fn title(area: &Area<'_>, title: &str, below: &str) -> Result<()> {
    area.draw(&Text::new(title, (MARGIN, 14), font(18, INK))).map_err(failed)?;
    area.draw(&Text::new(below, (MARGIN, 38), font(13, FAINT))).map_err(failed)
}

fn text(
    text: &str,
    at: (f64, f64),
    color: RGBColor,
    horizontal: HPos,
    vertical: VPos,
) -> Text<'static, (f64, f64), String> {
    Text::new(text.to_owned(), at, font(13, color).pos(Pos::new(horizontal, vertical)))
}

fn font(size: i32, color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&color)
}

/// The library's error borrows what it drew on.
fn failed(error: impl Display) -> anyhow::Error {
    anyhow!("the chart cannot be drawn: {error}")
}
