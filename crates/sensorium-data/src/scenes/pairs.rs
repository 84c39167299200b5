//! Two sentences: of one scene, or of two that differ in one thing.

use rand::RngExt;
use rand::seq::IndexedRandom;
use sensorium_core::SampleRng;

use super::Combination;
use super::words::caption;

/// Two captions, and whether they say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub text: String,
    pub same: bool,
}

/// Tells a scene twice, each time in a way of its own; the second time, for one in two, with another digit, colour or place
/// somewhere. What it is changed to is one of `known`.
pub(super) fn pair(things: &[Combination], known: &[Combination], rng: &mut SampleRng) -> Pair {
    let first = caption(things, rng);
    let same = rng.random_bool(0.5);
    let other = match same {
        true => None,
        false => changed(things, known, rng),
    };
    let second = caption(other.as_deref().unwrap_or(things), rng);
    Pair {
        text: format!("{first}. {second}"),
        same: other.is_none(),
    }
}

/// The things with one of them another in one respect; none, if nothing known differs so.
fn changed(
    things: &[Combination],
    known: &[Combination],
    rng: &mut SampleRng,
) -> Option<Vec<Combination>> {
    let at = rng.random_range(0..things.len());
    let thing = things[at];
    let differs_once = |other: &&Combination| {
        let same = [
            other.digit == thing.digit,
            other.colour == thing.colour,
            other.place == thing.place,
        ];
        let free = other.place == thing.place || things.iter().all(|t| t.place != other.place);
        same.iter().filter(|same| !**same).count() == 1 && free
    };
    let possible: Vec<Combination> = known.iter().filter(differs_once).copied().collect();
    let mut things = things.to_vec();
    things[at] = *possible.choose(rng)?;
    Some(things)
}
