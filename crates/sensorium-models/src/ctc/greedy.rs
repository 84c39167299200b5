//! The likeliest character of each frame.

use super::{CtcVocabulary, FrameScores, Label};

/// Of several that are equally likely, the first.
pub(super) fn decode(scores: &FrameScores, vocabulary: &CtcVocabulary) -> Vec<Label> {
    let likeliest = scores.iter().map(|logits| {
        let better = |best: usize, i: usize| if logits[i] > logits[best] { i } else { best };
        (0..logits.len()).fold(0, better) as u32
    });
    collapse(likeliest, vocabulary)
}

/// What ids of frames say: those in a row that read the same are one, and the blank is nothing.
pub(super) fn collapse(
    ids: impl IntoIterator<Item = u32>,
    vocabulary: &CtcVocabulary,
) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    let mut before = None;
    for (frame, id) in ids.into_iter().enumerate() {
        let id = vocabulary.first_alike(id);
        match labels.last_mut() {
            Some(last) if before == Some(id) && id != vocabulary.blank() => last.frames.end += 1,
            _ if id == vocabulary.blank() => (),
            _ => labels.push(Label {
                id,
                frames: frame..frame + 1,
            }),
        }
        before = Some(id);
    }
    labels
}
