//! The plan as a picture: stages and the groups in them from left to right, actions of a group
//! below each other, artifacts as lines from who makes them to who takes them. A line that would
//! cross other actions goes below them all, in a lane of its own artifact.
//!
//! It is drawn without a script or a font of its own, in the colours of the reader's theme.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Plan, PlannedAction, PlannedStage, cut, text::count};

const MARGIN: usize = 24;
const HEADER: usize = 64;
const STAGE_GAP: usize = 56;
const STAGE_PADDING: usize = 28;
const STAGE_TITLE: usize = 36;
const GROUP_GAP: usize = 64;
const ACTION_GAP: usize = 20;
const ACTION_WIDTH: usize = 208;
const ACTION_HEIGHT: usize = 92;
const LANE_HEIGHT: usize = 10;
/// Lines leave and enter an action at this distance, so that lanes do not lie on each other.
const TURN: usize = 10;
const TURN_STEP: usize = 4;
const TURN_STEPS: usize = 4;
/// What fits into the width of an action.
const ACTION_CHARACTERS: usize = 27;

const STYLE: &str = "
  .page { fill: #ffffff } .stage { fill: #f5f6f7; stroke: #d5d9de }
  .action { fill: #ffffff; stroke: #0f766e } .unsupported { stroke: #b42318; stroke-dasharray: 5 4 }
  .title { fill: #1c2024; font-weight: 600; font-size: 18px } .name { fill: #1c2024; font-weight: 600; font-size: 14px }
  .stage-name { fill: #1c2024; font-weight: 600; font-size: 14px } .plain { fill: #4a525c; font-size: 12px }
  .artifact { fill: #0f766e; font-size: 12px } .warning { fill: #b42318; font-size: 12px }
  .flow { fill: none; stroke: #b87333; stroke-width: 1.5; stroke-linejoin: round } .head { fill: #b87333 }
  .next { fill: none; stroke: #8a939e; stroke-width: 2 } .next-head { fill: #8a939e }
  text { font-family: system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif }
  @media (prefers-color-scheme: dark) {
    .page { fill: #14171a } .stage { fill: #1c2126; stroke: #39414a }
    .action { fill: #14171a; stroke: #2dd4bf } .unsupported { stroke: #f97066 }
    .title, .name, .stage-name { fill: #eceef0 } .plain { fill: #a9b2bc }
    .artifact { fill: #2dd4bf } .warning { fill: #f97066 }
    .flow { stroke: #d9925a } .head { fill: #d9925a } .next { stroke: #6b7580 } .next-head { fill: #6b7580 }
  }
";

#[derive(Clone, Copy)]
struct Rect {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

/// Where everything goes.
struct Layout<'a> {
    width: usize,
    height: usize,
    stages: Vec<(&'a PlannedStage, Rect)>,
    actions: Vec<Placed<'a>>,
    /// The left sides of the groups after the first one of each stage.
    steps: Vec<usize>,
    /// The heights of the lanes, by artifact.
    lanes: BTreeMap<&'a str, usize>,
}

struct Placed<'a> {
    action: &'a PlannedAction,
    rect: Rect,
    /// The number of its group, counted through all stages.
    column: usize,
}

pub(super) fn render(plan: &Plan) -> String {
    let layout = lay_out(plan);
    let (width, height) = (layout.width, layout.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n",
        escaped(&format!("Plan of pipeline {}", plan.name))
    );
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>"
    );
    let subtitle = format!(
        "{} · {} · {}",
        plan.kind_and_mode(),
        count(plan.stages.len(), "stage"),
        count(layout.actions.len(), "action")
    );
    label(&mut svg, MARGIN, MARGIN + 16, "title", &plan.name);
    label(&mut svg, MARGIN, MARGIN + 36, "plain", &subtitle);
    for (number, (stage, rect)) in layout.stages.iter().enumerate() {
        boxed(&mut svg, *rect, "stage", 8);
        let title = format!("{}. {}", number + 1, stage.name);
        label(
            &mut svg,
            rect.x + STAGE_PADDING,
            rect.y + 24,
            "stage-name",
            &title,
        );
    }
    order_arrows(&mut svg, &layout);
    for placed in &layout.actions {
        draw_action(&mut svg, placed.action, placed.rect);
    }
    artifact_lines(&mut svg, &layout);
    svg.push_str("</svg>\n");
    svg
}

fn lay_out(plan: &Plan) -> Layout<'_> {
    let top = MARGIN + HEADER;
    let (mut stages, mut actions, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    let (mut x, mut column, mut rows) = (MARGIN, 0, 1);
    for stage in &plan.stages {
        let left = x;
        x += STAGE_PADDING;
        for (step, group) in stage.groups.iter().enumerate() {
            if step > 0 {
                x += GROUP_GAP;
                steps.push(x);
            }
            for (row, action) in group.iter().enumerate() {
                let y = top + STAGE_TITLE + row * (ACTION_HEIGHT + ACTION_GAP);
                let rect = Rect {
                    x,
                    y,
                    width: ACTION_WIDTH,
                    height: ACTION_HEIGHT,
                };
                actions.push(Placed {
                    action,
                    rect,
                    column,
                });
            }
            rows = rows.max(group.len());
            x += ACTION_WIDTH;
            column += 1;
        }
        x += STAGE_PADDING;
        stages.push((
            stage,
            Rect {
                x: left,
                y: top,
                width: x - left,
                height: 0,
            },
        ));
        x += STAGE_GAP;
    }
    let below = top + STAGE_TITLE + rows * (ACTION_HEIGHT + ACTION_GAP);
    let lanes = lanes(&actions, below);
    let height = below + lanes.len() * LANE_HEIGHT - top;
    for (_, rect) in &mut stages {
        rect.height = height;
    }
    let width = x - STAGE_GAP + MARGIN;
    Layout {
        width,
        height: top + height + MARGIN,
        stages,
        actions,
        steps,
        lanes,
    }
}

/// A lane for each artifact that is taken further away than in the next group.
fn lanes<'a>(actions: &[Placed<'a>], below: usize) -> BTreeMap<&'a str, usize> {
    let mut lanes = BTreeMap::new();
    for maker in actions {
        for name in &maker.action.outputs {
            let is_far = |other: &Placed<'_>| {
                other.action.inputs.contains(name) && other.column > maker.column + 1
            };
            if actions.iter().any(is_far) {
                lanes.insert(name.as_str(), below + lanes.len() * LANE_HEIGHT);
            }
        }
    }
    lanes
}

/// From each stage to the next one, and from each group to the next one, beside their titles.
fn order_arrows(svg: &mut String, layout: &Layout<'_>) {
    let between = layout.stages.windows(2).filter_map(|pair| match pair {
        [(_, before), (_, after)] => Some((before.x + before.width, after.x)),
        _ => None,
    });
    let within = layout
        .steps
        .iter()
        .map(|x| (x - GROUP_GAP + TURN, x - TURN));
    let y = MARGIN + HEADER + 19;
    for (from, to) in between.chain(within) {
        let _ = writeln!(svg, "<path class=\"next\" d=\"M{from} {y}H{}\"/>", to - 8);
        let _ = writeln!(svg, "<path class=\"next-head\" d=\"M{to} {y}l-9 -5v10z\"/>");
    }
}

/// From the action that makes an artifact to each one that takes it.
fn artifact_lines(svg: &mut String, layout: &Layout<'_>) {
    let mut makers: BTreeMap<&str, &Placed<'_>> = BTreeMap::new();
    for placed in &layout.actions {
        makers.extend(
            placed
                .action
                .outputs
                .iter()
                .map(|name| (name.as_str(), placed)),
        );
    }
    for taker in &layout.actions {
        for name in &taker.action.inputs {
            let maker = makers
                .get(name.as_str())
                .filter(|maker| maker.column < taker.column);
            let Some(maker) = maker else { continue };
            let (x, y) = (taker.rect.x, taker.rect.y + ACTION_HEIGHT / 2);
            let path = if taker.column == maker.column + 1 {
                near(maker.rect, taker.rect)
            } else {
                far(layout, name, maker.rect, taker.rect)
            };
            let title = escaped(&format!("{name} → {}", taker.action.name));
            let _ = writeln!(
                svg,
                "<path class=\"flow\" d=\"{path}\"><title>{title}</title></path>\
                 <path class=\"head\" d=\"M{x} {y}l-9 -4v8z\"/>"
            );
        }
    }
}

/// To the next group: nothing lies between.
fn near(from: Rect, to: Rect) -> String {
    let (x1, y1) = (from.x + from.width, from.y + from.height / 2);
    let (x2, y2) = (to.x, to.y + to.height / 2);
    let bend = (x2 - x1) / 2;
    format!(
        "M{x1} {y1}C{} {y1} {} {y2} {} {y2}",
        x1 + bend,
        x2 - bend,
        x2 - 8
    )
}

/// To a group further away: down into the artifact's lane, along it, and up again.
fn far(layout: &Layout<'_>, name: &str, from: Rect, to: Rect) -> String {
    let lane = layout
        .lanes
        .get(name)
        .copied()
        .unwrap_or(layout.height - MARGIN);
    let number = layout
        .lanes
        .keys()
        .position(|known| *known == name)
        .unwrap_or(0);
    let turn = TURN + number % TURN_STEPS * TURN_STEP;
    let (x1, y1) = (from.x + from.width, from.y + from.height / 2);
    let (x2, y2) = (to.x, to.y + to.height / 2);
    format!(
        "M{x1} {y1}H{}V{lane}H{}V{y2}H{}",
        x1 + turn,
        x2 - turn,
        x2 - 8
    )
}

fn draw_action(svg: &mut String, action: &PlannedAction, rect: Rect) {
    let class = if action.supported {
        "action"
    } else {
        "action unsupported"
    };
    boxed(svg, rect, class, 6);
    let x = rect.x + 12;
    let fit = |text: &str| cut(text, ACTION_CHARACTERS);
    label(svg, x, rect.y + 22, "name", &fit(&action.name));
    let provider = action.provider();
    if action.supported {
        label(svg, x, rect.y + 40, "plain", &fit(&provider));
    } else {
        label(
            svg,
            x,
            rect.y + 40,
            "warning",
            &fit(&format!("{provider}, unsupported")),
        );
    }
    label(svg, x, rect.y + 58, "plain", &fit(&action.detail));
    let (inputs, outputs) = (action.inputs.join(", "), action.outputs.join(", "));
    let flow = match (inputs.is_empty(), outputs.is_empty()) {
        (true, true) => return,
        (false, true) => format!("{inputs} →"),
        (true, false) => format!("→ {outputs}"),
        (false, false) => format!("{inputs} → {outputs}"),
    };
    label(svg, x, rect.y + 78, "artifact", &fit(&flow));
}

fn boxed(svg: &mut String, rect: Rect, class: &str, radius: usize) {
    let Rect {
        x,
        y,
        width,
        height,
    } = rect;
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\"/>"
    );
}

fn label(svg: &mut String, x: usize, y: usize, class: &str, text: &str) {
    if !text.is_empty() {
        let text = escaped(text);
        let _ = writeln!(
            svg,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
        );
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::{super::tests::plan, *};

    #[test]
    fn no_box_lies_on_another_and_all_lie_within_the_picture() {
        let plan = plan();
        let layout = lay_out(&plan);
        for (at, one) in layout.actions.iter().enumerate() {
            let one = one.rect;
            assert!(one.x + one.width < layout.width && one.y + one.height < layout.height);
            for other in &layout.actions[at + 1..] {
                let other = other.rect;
                let apart = one.x + one.width <= other.x
                    || other.x + other.width <= one.x
                    || one.y + one.height <= other.y
                    || other.y + other.height <= one.y;
                assert!(apart);
            }
        }
    }

    #[test]
    fn a_line_to_a_far_action_goes_below_all_actions() {
        let plan = plan();
        let layout = lay_out(&plan);
        assert_eq!(
            layout.lanes.keys().copied().collect::<Vec<_>>(),
            ["Program"]
        );
        let lane = layout.lanes["Program"];
        assert!(
            layout
                .actions
                .iter()
                .all(|a| a.rect.y + a.rect.height < lane)
        );
        assert!(lane < layout.height);
    }

    #[test]
    fn a_name_cannot_break_out_of_the_picture() {
        let svg = render(&plan());
        assert!(svg.contains("v&lt;1&gt;") && !svg.contains("v<1>"));
        assert_eq!(escaped("a&\"\u{1b}b"), "a&amp;&quot;b");
    }

    #[test]
    fn what_cannot_run_is_marked() {
        let svg = render(&plan());
        assert!(svg.contains("class=\"action unsupported\""));
        assert!(svg.contains("Invoke Lambda, unsupported"));
    }
}
