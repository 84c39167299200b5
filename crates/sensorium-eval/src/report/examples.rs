//! Single predictions with what the model was given: a number becomes believable when one sees and hears its samples.

use maud::{Markup, html};

use super::bits::{bar, colour, counted, section};
use super::media::{Budget, picture, sound};
use super::scale::percent;
use super::types::{Example, ExampleInput, Media, RenderOptions, RunReport};

/// Answers shown for one example.
const MOST_ANSWERS: usize = 3;
/// Pictures below this many pixels are shown with hard pixel edges.
const TINY_PX: u32 = 64;
/// Letters of a text shown for one example.
const MOST_LETTERS: usize = 400;

pub(super) fn examples(report: &RunReport, options: &RenderOptions) -> Option<Markup> {
    let (right, wrong): (Vec<&Example>, Vec<&Example>) = report
        .examples
        .iter()
        .partition(|example| example.is_right());
    // Mistakes teach more, but at most half of the places are kept for them while there are right ones to show.
    let half = options.max_examples.div_ceil(2);
    let wrong_shown = wrong
        .len()
        .min(half.max(options.max_examples.saturating_sub(right.len())));
    let right_shown = right
        .len()
        .min(options.max_examples - wrong_shown.min(options.max_examples));
    if wrong_shown + right_shown == 0 {
        return None;
    }
    let mut cards = Cards {
        modalities: modalities(report),
        budget: Budget::new(options.max_media_bytes),
        options,
    };
    let body = html! {
        @for (heading, group) in [("Wrong", &wrong[..wrong_shown]), ("Right", &right[..right_shown])] {
            @if !group.is_empty() {
                // How far off a number may be is nothing that a report knows.
                @if report.regression.is_none() { h3 { (heading) } }
                div.examples { @for example in group { (cards.card(example)) } }
            }
        }
    };
    let lead = format!(
        "{} of the test split, with {}.",
        counted((wrong_shown + right_shown) as u64, "sample"),
        match (&report.regression, &report.written) {
            (Some(_), _) => "the model's answer: the farthest off first, then some of all",
            (_, Some(_)) => "what the model wrote",
            _ => "the model's best answers",
        }
    );
    Some(section("examples", "Examples", &lead, body))
}

/// The model's modalities, by which colours are given.
fn modalities(report: &RunReport) -> Vec<String> {
    if let Some(ablation) = &report.ablation {
        return ablation.modalities.clone();
    }
    let mut names: Vec<String> = Vec::new();
    for input in report.examples.iter().flat_map(|example| &example.inputs) {
        if !names.contains(&input.modality) {
            names.push(input.modality.clone());
        }
    }
    names
}

struct Cards<'a> {
    modalities: Vec<String>,
    budget: Budget,
    options: &'a RenderOptions,
}

impl Cards<'_> {
    fn card(&mut self, example: &Example) -> Markup {
        let right = example.is_right();
        let judged = match (&example.answer, right) {
            (Some(_), _) => "",
            (None, true) => "right",
            (None, false) => "wrong",
        };
        let is_true = |label: &String| match &example.several {
            Some((truths, _)) => truths.contains(label),
            None => *label == example.target,
        };
        html! {
            article class={ "card example " (judged) } {
                @for input in &example.inputs { (self.input(input, &example.id)) }
                p.truth {
                    @if example.answer.is_none() {
                        span.mark aria-hidden="true" { (if right { "✓" } else { "✗" }) }
                        span.hide { (if right { "Right. " } else { "Wrong. " }) }
                    }
                    "truth " b { (shortened(&example.target)) }
                    @if let Some(answer) = &example.answer { ", answer " b { (answer) } }
                }
                @if let Some(written) = &example.written { p.truth { "answer " b { (shortened(written)) } } }
                ol.answers {
                    @for (label, probability) in example.top.iter().take(MOST_ANSWERS) {
                        li class=(if is_true(label) { "target" } else { "" }) {
                            span.label title=(label) { (label) }
                            (bar(*probability, "p"))
                            span.num { (percent(*probability)) }
                        }
                    }
                }
                p.id { (example.id) }
            }
        }
    }

    fn input(&mut self, input: &ExampleInput, id: &str) -> Markup {
        let content = match &input.content {
            Media::Image { bytes, .. } => {
                match picture(bytes, self.options.max_image_px, &mut self.budget) {
                    Ok(shown) => {
                        let tiny = shown.width.max(shown.height) <= TINY_PX;
                        html! { img class=(if tiny { "tiny" } else { "" }) src=(shown.uri) width=(shown.width) height=(shown.height)
                        alt={ (input.modality) " of sample " (id) } loading="lazy"; }
                    }
                    Err(why) => html! { p.note { (why) } },
                }
            }
            Media::Sound { mime, bytes } => match sound(mime, bytes, &mut self.budget) {
                Ok(uri) => {
                    html! { audio controls preload="none" src=(uri) aria-label={ (input.modality) " of sample " (id) } {} }
                }
                Err(why) => html! { p.note { (why) } },
            },
            Media::Text(text) => html! { blockquote { (shortened(text)) } },
        };
        html! {
            div class={ "input " (colour(&self.modalities, &input.modality)) } {
                p.modality { i {} (input.modality) }
                (content)
            }
        }
    }
}

fn shortened(text: &str) -> String {
    let mut letters = text.chars();
    let short: String = letters.by_ref().take(MOST_LETTERS).collect();
    if letters.next().is_some() {
        short + "…"
    } else {
        short
    }
}
