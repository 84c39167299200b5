//! The likeliest texts, all ways to say each of them added up: prefix beam search (Graves, 2012, section 7.5.3; Hannun et
//! al., arXiv 1408.2873, algorithm 1), without a language model.

use std::collections::HashMap;

use super::scores::log_softmax;
use super::{FrameScores, Label};

/// The most beginnings of texts that are kept at a time.
pub const MOST_BEAMS: usize = 1024;

/// Frames after which what no beginning is made of any more is forgotten.
const FORGET_FRAMES: usize = 512;

/// A text that may have been said.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its characters; the frames are those of the likeliest way to say it that was kept.
    pub labels: Vec<Label>,
    /// The logarithm of how likely it is, all ways to say it added up that were kept.
    pub log_probability: f64,
}

/// The likeliest texts, best first: at most `width`, as many as are kept at a time, which is 1 to [`MOST_BEAMS`].
///
/// # Panics
/// If `blank` is none of the ids.
pub fn beam_search(scores: &FrameScores, blank: u32, width: usize) -> Vec<Found> {
    assert!((blank as usize) < scores.n_ids(), "the blank is an id");
    let width = width.clamp(1, MOST_BEAMS);
    let mut search = Beams::default();
    for (frame, logits) in scores.iter().enumerate() {
        let log_p: Vec<f64> = log_softmax(logits).collect();
        search.step(frame as u32, &log_p, blank, width);
        if frame % FORGET_FRAMES == FORGET_FRAMES - 1 {
            search.forget();
        }
    }
    search.found()
}

/// log(exp a + exp b)
fn log_add(a: f64, b: f64) -> f64 {
    let (large, small) = if a >= b { (a, b) } else { (b, a) };
    match small == f64::NEG_INFINITY {
        true => large,
        false => large + (small - large).exp().ln_1p(),
    }
}

/// What comes before the first.
const NONE: u32 = u32::MAX;

/// A list that shares its beginning with others: each link knows the one before it, which is older.
#[derive(Clone, Debug)]
struct Links<T>(Vec<(u32, T)>);

impl<T> Default for Links<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy> Links<T> {
    fn push(&mut self, before: u32, link: T) -> u32 {
        self.0.push((before, link));
        (self.0.len() - 1) as u32
    }

    /// From the first to this one.
    fn list(&self, mut last: u32) -> Vec<T> {
        let mut list = Vec::new();
        while last != NONE {
            let (before, link) = self.0[last as usize];
            list.push(link);
            last = before;
        }
        list.reverse();
        list
    }

    /// Forgets all that no list to one of `last` holds; gives new places by old ones.
    fn keep(&mut self, last: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut kept = vec![NONE; self.0.len()];
        for mut at in last {
            while at != NONE && kept[at as usize] == NONE {
                kept[at as usize] = 0;
                at = self.0[at as usize].0;
            }
        }
        let mut links = Vec::new();
        for (place, (before, link)) in kept.iter_mut().zip(&self.0) {
            if *place != NONE {
                *place = links.len() as u32;
                links.push((*before, *link));
            }
        }
        for (before, _) in &mut links {
            *before = moved(&kept, *before);
        }
        self.0 = links;
        kept
    }
}

fn moved(places: &[u32], place: u32) -> u32 {
    match place {
        NONE => NONE,
        place => places[place as usize],
    }
}

/// The likeliest way to say a text: frames of its characters.
#[derive(Clone, Copy, Debug)]
struct Way {
    log_p: f64,
    /// Of all but the last, the link in [`Beams::spans`].
    closed: u32,
    /// Of the last: the first frame, and the one after the last.
    open: (u32, u32),
}

const IMPOSSIBLE: Way = Way {
    log_p: f64::NEG_INFINITY,
    closed: NONE,
    open: (0, 0),
};

impl Way {
    fn likelier(self, other: Self) -> Self {
        if other.log_p > self.log_p {
            other
        } else {
            self
        }
    }

    fn after(self, log_p: f64) -> Self {
        Self {
            log_p: self.log_p + log_p,
            ..self
        }
    }
}

/// How likely a text is where the frame before was nothing, or its last character.
#[derive(Clone, Copy, Debug)]
struct Ending {
    log_p: f64,
    way: Way,
}

const NEVER: Ending = Ending {
    log_p: f64::NEG_INFINITY,
    way: IMPOSSIBLE,
};

impl Ending {
    fn add(&mut self, other: Self) {
        self.log_p = log_add(self.log_p, other.log_p);
        self.way = self.way.likelier(other.way);
    }

    fn after(self, log_p: f64) -> Self {
        Self {
            log_p: self.log_p + log_p,
            way: self.way.after(log_p),
        }
    }
}

/// A beginning of a text.
#[derive(Clone, Copy, Debug)]
struct Beam {
    /// Its last character, the link in [`Beams::texts`].
    text: u32,
    last: Option<u32>,
    blank: Ending,
    label: Ending,
}

impl Beam {
    fn either(&self) -> Ending {
        let mut either = self.blank;
        either.add(self.label);
        either
    }
}

/// The beginnings that are kept, best first.
#[derive(Debug)]
struct Beams {
    kept: Vec<Beam>,
    texts: Links<u32>,
    /// A text and the character after it, and which text that is: one text is one link, by whatever way it came.
    longer: HashMap<(u32, u32), u32>,
    spans: Links<(u32, u32)>,
}

impl Default for Beams {
    fn default() -> Self {
        let certain = Way {
            log_p: 0.0,
            ..IMPOSSIBLE
        };
        let nothing = Beam {
            text: NONE,
            last: None,
            blank: Ending {
                log_p: 0.0,
                way: certain,
            },
            label: NEVER,
        };
        Self {
            kept: vec![nothing],
            texts: Links::default(),
            longer: HashMap::new(),
            spans: Links::default(),
        }
    }
}

/// A text that is one character longer than one that is kept.
#[derive(Clone, Copy, Debug)]
struct Longer {
    from: usize,
    id: u32,
    ending: Ending,
}

impl Beams {
    fn step(&mut self, frame: u32, log_p: &[f64], blank: u32, width: usize) {
        let mut stay: Vec<Beam> = self
            .kept
            .iter()
            .map(|beam| stayed(beam, frame, log_p, blank))
            .collect();
        let places: HashMap<u32, usize> = self.kept.iter().map(|beam| beam.text).zip(0..).collect();
        let mut longer = Vec::with_capacity(self.kept.len() * log_p.len());
        for (from, beam) in self.kept.iter().enumerate() {
            let either = beam.either();
            for (id, log_p) in (0..).zip(log_p).filter(|(id, _)| *id != blank) {
                // A character that is said twice has a blank between.
                let before = if beam.last == Some(id) {
                    beam.blank
                } else {
                    either
                };
                let mut ending = before.after(*log_p);
                let text = self.longer.get(&(beam.text, id));
                match text.and_then(|text| places.get(text)) {
                    Some(place) => {
                        ending.way = opened(&mut self.spans, ending.way, beam, frame);
                        stay[*place].label.add(ending);
                    }
                    None => longer.push(Longer { from, id, ending }),
                }
            }
        }
        self.choose(stay, &longer, frame, width);
    }

    /// Keeps the likeliest, those that did not grow first where they are as likely.
    fn choose(&mut self, stay: Vec<Beam>, longer: &[Longer], frame: u32, width: usize) {
        let likely = stay.iter().map(|beam| beam.either().log_p);
        let likely = likely.chain(longer.iter().map(|longer| longer.ending.log_p));
        let mut order: Vec<(f64, usize)> = likely.zip(0..).collect();
        if order.iter().any(|(log_p, _)| *log_p > f64::NEG_INFINITY) {
            order.retain(|(log_p, _)| *log_p > f64::NEG_INFINITY); // what cannot be said
        }
        let better = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if order.len() > width {
            order.select_nth_unstable_by(width - 1, better);
            order.truncate(width);
        }
        order.sort_unstable_by(better);
        let before = std::mem::take(&mut self.kept);
        for (_, i) in order {
            let beam = match i.checked_sub(stay.len()) {
                None => stay[i],
                Some(i) => self.grown(&before, longer[i], frame),
            };
            self.kept.push(beam);
        }
    }

    fn grown(&mut self, before: &[Beam], longer: Longer, frame: u32) -> Beam {
        let Longer {
            from,
            id,
            mut ending,
        } = longer;
        let beam = &before[from];
        ending.way = opened(&mut self.spans, ending.way, beam, frame);
        let texts = &mut self.texts;
        let text = self.longer.entry((beam.text, id));
        Beam {
            text: *text.or_insert_with(|| texts.push(beam.text, id)),
            last: Some(id),
            blank: NEVER,
            label: ending,
        }
    }

    /// Forgets texts and frames that no beginning is made of.
    fn forget(&mut self) {
        let texts = self.texts.keep(self.kept.iter().map(|beam| beam.text));
        let ways = |beam: &Beam| [beam.blank.way.closed, beam.label.way.closed];
        let spans = self.spans.keep(self.kept.iter().flat_map(ways));
        for beam in &mut self.kept {
            beam.text = moved(&texts, beam.text);
            for way in [&mut beam.blank.way, &mut beam.label.way] {
                way.closed = moved(&spans, way.closed);
            }
        }
        let numbered = self.texts.0.iter().zip(0..);
        self.longer = numbered
            .map(|((before, id), text)| ((*before, *id), text))
            .collect();
    }

    fn found(&self) -> Vec<Found> {
        let found = |beam: &Beam| {
            let either = beam.either();
            let mut spans = self.spans.list(either.way.closed);
            spans.extend(beam.last.map(|_| either.way.open));
            let ids = self.texts.list(beam.text).into_iter();
            let label = |(id, (start, end)): (u32, (u32, u32))| Label {
                id,
                frames: start as usize..end as usize,
            };
            Found {
                labels: ids.zip(spans).map(label).collect(),
                log_probability: either.log_p,
            }
        };
        self.kept.iter().map(found).collect()
    }
}

/// A text after a frame that adds nothing to it: the blank, or its last character still.
fn stayed(beam: &Beam, frame: u32, log_p: &[f64], blank: u32) -> Beam {
    let label = beam.last.map(|last| {
        let mut label = beam.label.after(log_p[last as usize]);
        label.way.open.1 = frame + 1;
        label
    });
    Beam {
        blank: beam.either().after(log_p[blank as usize]),
        label: label.unwrap_or(NEVER),
        ..*beam
    }
}

/// A way with one character more, which begins in a frame.
fn opened(spans: &mut Links<(u32, u32)>, way: Way, beam: &Beam, frame: u32) -> Way {
    let closed = match beam.last {
        Some(_) => spans.push(way.closed, way.open),
        None => NONE,
    };
    Way {
        closed,
        open: (frame, frame + 1),
        ..way
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use sensorium_core::seed;

    #[test]
    fn what_is_forgotten_is_never_missed_and_memory_is_bounded() {
        const WIDTH: usize = 12;
        let mut rng = seed::rng(3, &[]);
        let (mut forgetful, mut other) = (Beams::default(), Beams::default());
        for frame in 0..700 {
            let logits: Vec<f32> = (0..5).map(|_| rng.random_range(-2.0..2.0)).collect();
            let log_p: Vec<f64> = log_softmax(&logits).collect();
            forgetful.step(frame, &log_p, 0, WIDTH);
            other.step(frame, &log_p, 0, WIDTH);
            if frame % 7 == 3 {
                forgetful.forget();
            }
        }
        assert_eq!(forgetful.found(), other.found());
        forgetful.forget();
        let longest = forgetful
            .found()
            .iter()
            .map(|found| found.labels.len())
            .max()
            .unwrap();
        assert!(longest > 200, "{longest}");
        // All beams share what they begin with.
        let held = [
            forgetful.texts.0.len(),
            forgetful.longer.len(),
            forgetful.spans.0.len(),
        ];
        assert!(
            held.iter().all(|held| *held < longest + 20 * WIDTH),
            "{held:?}, {longest}"
        );
        assert!(
            other.texts.0.len() > 2 * held[0],
            "{} and {held:?}",
            other.texts.0.len()
        );
    }
}
